import { existsSync } from "node:fs";
import { join } from "node:path";
import { Option, type Command } from "commander";
import { UsageError } from "@stagecraft/config";
import { feedback } from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import { checkFile, writeRecords, WRITTEN_FORMATS, type WrittenFormat } from "@stagecraft/data";
import { createFeedbackClient } from "@stagecraft/pipeline";
import { callInProcess } from "@stagecraft/rpc";
import type { StageReporter } from "@stagecraft/runs";
import {
  createFeedbackService,
  exportRecords,
  openStore,
  type ExportKind,
  type FeedbackReader,
} from "@stagecraft/service-gateway";
import { silentLogger } from "@stagecraft/telemetry";
import type { CommandScope } from "../app/command.js";
import { exportAdapterCommand, exportGgufCommand, exportModelCommand } from "./export-model.js";
import { examplesText } from "./stage-command.js";

interface ExportFlags {
  feedbackAddress?: string;
  feedbackDir?: string;
  databaseUrl?: string;
  feedbackTokenFile: string;
  feedbackTlsCa: string;
  format?: WrittenFormat;
  out?: string;
  json?: boolean;
}

const KINDS = ["rankings", "demonstrations", "flags"] as const satisfies readonly ExportKind[];
const EXAMPLES = [
  "npx stagecraft export rankings --feedback-dir runs/demo/studio",
  "npx stagecraft export demonstrations --feedback-address 127.0.0.1:50055 --format parquet --out said/demonstrations.parquet",
  "npx stagecraft export flags --database-url postgres://user:password@host/name",
  "npx stagecraft export model runs/demo/ppo/model --dtype bf16 --out assistant-bf16",
];

/** `stagecraft export KIND`: what people said, as files that the stages read; models for other tools. */
export function exportCommand(command: Command, scope: CommandScope): void {
  for (const kind of KINDS) exportKindCommand(command.command(kind), kind, scope);
  exportModelCommand(command.command("model"), scope);
  exportAdapterCommand(command.command("adapter"), scope);
  exportGgufCommand(command.command("gguf"), scope);
  command.addHelpText("after", examplesText(EXAMPLES));
}

function exportKindCommand(command: Command, kind: ExportKind, scope: CommandScope): void {
  command
    .description(`${kind} of people, as a file that stages read`)
    .option("--feedback-address <host:port>", "a gateway that runs")
    .option("--feedback-dir <dir>", "the folder of one that does not, such as a studio's")
    .option("--database-url <url>", "its PostgreSQL, such as postgres://user:password@host/name")
    .option("--feedback-token-file <file>", "token that the gateway asks for", "")
    .option("--feedback-tls-ca <file>", "PEM authority of the gateway; empty = plaintext", "")
    .addOption(
      new Option("--format <name>", "of the file (default: as --out ends, or jsonl)").choices(
        WRITTEN_FORMATS,
      ),
    )
    .option("--out <file>", "file that is written, whole or not at all (default: KIND.FORMAT)")
    .option("--json", "print the result as NDJSON")
    .addHelpText("after", examplesText(EXAMPLES.filter((example) => example.includes(kind))))
    .action((flags: ExportFlags) => exportKind(kind, flags, scope));
}

async function exportKind(kind: ExportKind, flags: ExportFlags, scope: CommandScope) {
  const { file, format } = targetOf(kind, flags);
  const reporter = scope.createReporter({ json: flags.json === true });
  await using source = await openReader(flags);
  const records = watched(exportRecords(source, kind), { kind, reporter, signal: scope.signal });
  const count = await writeRecords(file, records, format);
  const numRefused = count === 0 ? 0 : await countRefused(file, kind);
  if (numRefused > 0) {
    reporter.warn(
      `${numRefused} of them are no records for a stage: \`stagecraft data check ${file}\` shows why, ` +
        "and stages leave so many out with --max-bad-records",
    );
  }
  reporter.result({ file, kind, count, numRefused }, `${file}: ${count} ${kind}`);
  reporter.close();
}

function targetOf(kind: ExportKind, { out, format }: ExportFlags) {
  const named = WRITTEN_FORMATS.find((name) => out?.endsWith(`.${name}`));
  if (out === undefined) return { file: `${kind}.${format ?? "jsonl"}`, format: format ?? "jsonl" };
  if (named && (format ?? named) === named) return { file: out, format: named };
  const endings = format ? `.${format}` : WRITTEN_FORMATS.map((name) => `.${name}`).join(" or ");
  throw new UsageError(`--out ${out} must end in ${endings}`);
}

/** A gateway over its address, or the service on its database in this process. */
async function openReader(flags: ExportFlags): Promise<FeedbackReader & AsyncDisposable> {
  const { feedbackAddress, feedbackDir: dir, databaseUrl: url } = flags;
  const places = [feedbackAddress, dir, url].filter((where) => where !== undefined);
  if (places.length !== 1 || places[0] === "") {
    throw new UsageError(
      "say where people spoke, once: --feedback-address HOST:PORT of a gateway that runs, --feedback-dir DIR of " +
        "one that does not (a studio's is RUNS/studio), or --database-url URL of its PostgreSQL",
    );
  }
  if (feedbackAddress !== undefined) {
    return createFeedbackClient({ ...flags, feedbackAddress });
  }
  if (dir !== undefined) checkHoldsFeedback(dir);
  const database = await openStore({ ...(dir !== undefined && { dir }), ...(url && { url }) });
  const { handlers } = createFeedbackService({ database });
  const service = feedback.FeedbackServiceService;
  const reader = callInProcess(service, handlers, { logger: silentLogger() });
  return { ...reader, [Symbol.asyncDispose]: () => database.close() };
}

/** Opening would make an empty database where none is. */
function checkHoldsFeedback(dir: string): void {
  if (["database", "feedback.jsonl"].some((name) => existsSync(join(dir, name)))) return;
  throw new StagecraftError(
    "not_found",
    `--feedback-dir ${dir} holds nothing that people said: name the folder of a gateway (its --feedback-dir) or RUNS/studio`,
  );
}

interface Watch {
  kind: ExportKind;
  reporter: StageReporter;
  signal: AbortSignal;
}

const TOLD_EVERY = 10_000;

async function* watched(records: AsyncIterable<object>, { kind, reporter, signal }: Watch) {
  let count = 0;
  for await (const record of records) {
    signal.throwIfAborted();
    yield record;
    if (++count % TOLD_EVERY === 0) reporter.info(`${count} ${kind} so far`);
  }
}

/** Those that no stage reads, such as rankings of more answers than one compares. */
async function countRefused(file: string, kind: ExportKind): Promise<number> {
  const read = kind === "rankings" ? "rankings" : "conversations";
  const report = await checkFile(file, { kind: read, format: "auto", columns: {}, numSamples: 0 });
  return report.kinds[read].numProblems;
}
