import { basename, join, resolve } from "node:path";
import type { Command } from "commander";
import { atomicWriteFile } from "@stagecraft/checkpoint";
import { buildReport, readRuns, renderReport, type ReportData } from "@stagecraft/report";
import type { CommandScope } from "../app/command.js";
import { examplesText } from "./stage-command.js";

interface ReportFlags {
  out?: string;
  title?: string;
  json?: boolean;
}

const EXAMPLES = [
  "npx stagecraft report runs/demo",
  "npx stagecraft report runs/pretrain-small runs/pretrain-large --out compared.html",
  "npx stagecraft report runs/ppo --json",
];

const NOTES = `
A directory may be one run of any stage, or hold many: a pipeline, a demo, a loop with its rounds. Runs of
the same stage are drawn over one another. The page needs no network and no other file.`;

/** `stagecraft report DIR…`: one self-contained page of what runs did. */
export function reportCommand(command: Command, { io }: CommandScope): void {
  command
    .argument("<dir...>", "run directories, or directories that hold some")
    .option("--out <file>", "where the page goes (default: report.html in the first directory)")
    .option("--title <text>", "heading of the page")
    .option("--json", "print what the page shows as one JSON line; with --out, write the page too")
    .addHelpText("after", NOTES)
    .addHelpText("after", examplesText(EXAMPLES))
    .action(async (dirs: string[], { out, title, json }: ReportFlags) => {
      const runs = await readRuns(dirs);
      const heading = title ?? (runs.length === 1 ? undefined : headingOf(dirs));
      const data = await buildReport(runs, heading === undefined ? {} : { title: heading });
      const file = resolve(out ?? join(dirs[0]!, "report.html"));
      if (!json || out !== undefined) await atomicWriteFile(file, renderReport(data));
      if (json) return void io.out.write(`${JSON.stringify(data)}\n`);
      io.out.write(`${summary(data)}\n\n${file}\n`);
    });
}

function headingOf(dirs: readonly string[]): string {
  const names = [...new Set(dirs.map((dir) => basename(resolve(dir))))];
  return `Runs of ${names.join(", ")}`;
}

/** What came of it and what is missing, for the terminal. */
function summary({ verdict = [], problems = [], alarms = [] }: ReportData): string {
  return [
    ...verdict.map(({ name, text }) => `${name}: ${text}`),
    ...alarms.map(({ run, step, message }) => {
      const when = step === undefined ? "" : ` at step ${step}`;
      return `alarm of ${run}${when}: ${message}`;
    }),
    ...problems.map((problem) => `missing: ${problem}`),
  ].join("\n");
}
