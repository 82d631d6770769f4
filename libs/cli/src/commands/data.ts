import { Option, type Command } from "commander";
import type { CheckedKind, FileReport, KindReport } from "@stagecraft/data";
import type { CommandScope } from "../app/command.js";
import { UsageError } from "@stagecraft/config";
import { loadChatTokenizer, type Tokenizer } from "@stagecraft/tokenizer";
import { renderedSamples, type RenderedSample } from "../models/rendered-samples.js";
import { EXIT_CODES } from "../app/exit-codes.js";
import { wholeNumberFlag } from "./cluster-flags.js";
import { examplesText } from "./stage-command.js";
import { chatTemplateFlag, chatTokensFlag } from "../flags/model-flags.js";

const PURPOSES: Record<CheckedKind, string> = {
  rankings: "rankings (reward, dpo, loop)",
  conversations: "demonstrations (sft, prompts)",
  texts: "texts (tokenizer, pretrain)",
  prompts: "prompts (collect, evaluate, ppo)",
};

interface CheckFlags {
  kind?: CheckedKind;
  format: string;
  columns: string[];
  samples: number;
  model?: string;
  chatTemplate?: string;
  chatTokens?: string[];
  json?: boolean;
}

/** `stagecraft data check FILES…`: what files hold, and where they are wrong. */
export function dataCommand(command: Command, scope: CommandScope): void {
  command
    .command("check")
    .description(
      "say what files hold, how many records, the first of them, and where they are wrong",
    )
    .argument("<files...>", "files, folders or patterns such as 'data/*.parquet'")
    .addOption(new Option("--kind <kind>", "what they are for").choices(Object.keys(PURPOSES)))
    .option(
      "--format <name>",
      "format of the records; auto: each is read as what it looks like",
      "auto",
    )
    .option("--columns <field=column...>", "columns under other names, such as prompt=question", [])
    .addOption(wholeNumberFlag("--samples", "first records to show", 3))
    .option(
      "--model <dir>",
      "model or tokenizer directory: shows the first records as it reads them",
    )
    .addOption(chatTemplateFlag())
    .addOption(chatTokensFlag())
    .option("--json", "NDJSON: one object a file")
    .addHelpText(
      "after",
      examplesText([
        "npx stagecraft data check examples/data/demonstrations.jsonl",
        "npx stagecraft data check 'data/train-*.parquet' --kind rankings --json",
        "npx stagecraft data check examples/data/demonstrations.jsonl --model runs/demo/sft/model",
      ]),
    )
    .action(async (paths: string[], flags: CheckFlags) => check(paths, flags, scope));
}

async function check(paths: string[], flags: CheckFlags, scope: CommandScope): Promise<void> {
  const { checkFile, columnsOf, listFiles } = await import("@stagecraft/data");
  const options = {
    kind: flags.kind,
    format: flags.format,
    columns: columnsOf(flags.columns),
    numSamples: flags.samples,
    signal: scope.signal,
  };
  const tokenizer = await tokenizerOf(flags);
  let hasProblems = false;
  for (const path of paths) {
    for (const file of await listFiles(path)) {
      const report = await checkFile(file, options);
      const chosen = report.kind && report.kinds[report.kind];
      hasProblems ||= chosen === undefined || chosen.numProblems > 0;
      const rendered = tokenizer && renderedSamples(tokenizer, report);
      const text = flags.json
        ? JSON.stringify({ ...report, ...(rendered && { rendered }) })
        : [reportText(report), ...(rendered ?? []).map(sampleText)].join("\n");
      scope.io.out.write(`${text}\n`);
    }
  }
  if (hasProblems) scope.setExitCode(EXIT_CODES.fellShort);
}

async function tokenizerOf(flags: CheckFlags): Promise<Tokenizer | undefined> {
  if (flags.model !== undefined) return loadChatTokenizer(flags.model, flags);
  if (flags.chatTemplate === undefined && flags.chatTokens === undefined) return undefined;
  throw new UsageError("--chat-template needs the --model whose tokenizer reads it");
}

function sampleText({ text, numTokens }: RenderedSample): string {
  return `  --- ${numTokens} tokens\n${text}`;
}

function reportText(report: FileReport): string {
  const { file, fileFormat, numRecords, numDuplicates, kind, kinds } = report;
  const repeated = numDuplicates > 0 ? `, ${numDuplicates} of them repeated` : "";
  const head = `${file}: ${fileFormat}, ${numRecords} records${repeated}`;
  if (kind === undefined)
    return `${head}\n  nothing that a stage reads${firstProblems(kinds.conversations)}`;
  const also = (Object.keys(kinds) as CheckedKind[])
    .filter((other) => other !== kind && kinds[other].numRecords > 0)
    .map((other) => `${kinds[other].numRecords} as ${PURPOSES[other]}`);
  return [
    head,
    `  ${PURPOSES[kind]}: ${countsText(kinds[kind])}`,
    ...(also.length > 0 ? [`  also readable: ${also.join("; ")}`] : []),
    ...kinds[kind].samples.map((sample) => `  ${JSON.stringify(sample).slice(0, 400)}`),
    ...problemLines(kinds[kind]),
  ].join("\n");
}

function countsText({ numRecords, numItems, formats, numProblems }: KindReport): string {
  const byFormat = Object.entries(formats).map(([name, count]) => `${name} ${count}`);
  const items = numItems === numRecords ? "" : `, ${numItems} in them`;
  const malformed = numProblems > 0 ? `, ${numProblems} malformed` : "";
  return `${numRecords} records${items} (${byFormat.join(", ")})${malformed}`;
}

function problemLines({ problems, numProblems }: KindReport): string[] {
  const more = numProblems - problems.length;
  return [
    ...problems.map((problem) => `  ! ${problem}`),
    ...(more > 0 ? [`  ! and ${more} more`] : []),
  ];
}

function firstProblems(report: KindReport): string {
  return report.problems.length > 0 ? `\n${problemLines(report).join("\n")}` : "";
}
