import { join } from "node:path";
import type { Command } from "commander";
import { StagecraftError, type JsonObject } from "@stagecraft/core";
import { lookAtRun, type RunRecord } from "@stagecraft/runs";
import type { CommandScope } from "../app/command.js";
import { findRunDirs, readMetrics } from "@stagecraft/report";
import { alignRows, figure } from "../report/result-text.js";
import { examplesText } from "./stage-command.js";

/** `stagecraft runs list [DIR]` and `stagecraft runs show RUN`. */
export function runsCommand(command: Command, { io }: CommandScope): void {
  const print = (json: boolean | undefined, records: readonly object[], text: string) =>
    void io.out.write(
      json ? records.map((each) => `${JSON.stringify(each)}\n`).join("") : `${text}\n`,
    );
  command
    .command("list")
    .description("every run under a directory, newest first")
    .argument("[dir]", "where to look", "runs")
    .option("--json", "one JSON object a line")
    .action(async (dir: string, { json }: { json?: boolean }) => {
      const runs = await findRuns(dir);
      print(json, runs, runs.length === 0 ? `no runs under ${dir}` : runs.map(listLine).join("\n"));
    });
  command
    .command("show")
    .description("one run: its state, configuration and latest figures")
    .argument("<run>", "run directory")
    .option("--json", "one JSON object")
    .action(async (dir: string, { json }: { json?: boolean }) => {
      const run = await loadRun(dir);
      print(json, [run], showText(run));
    });
  command.addHelpText(
    "after",
    examplesText(["npx stagecraft runs list", "npx stagecraft runs show runs/pretrain --json"]),
  );
}

interface FoundRun extends RunRecord {
  dir: string;
  /** The process that works on it. */
  heldBy?: string;
  lastMetrics?: JsonObject;
}

/** The runs under `dir`, newest first. Throws not_found without `dir`. */
export async function findRuns(dir: string): Promise<FoundRun[]> {
  const runs = await Promise.all((await findRunDirs(dir)).map(loadRun));
  return runs.sort((a, b) => b.updatedAt.localeCompare(a.updatedAt));
}

async function loadRun(dir: string): Promise<FoundRun> {
  const record = await lookAtRun(dir);
  if (!record) {
    throw new StagecraftError(
      "not_found",
      `${dir} has no run.json; \`stagecraft runs list\` shows runs`,
    );
  }
  const lastMetrics = (await readMetrics(join(dir, "metrics.jsonl"))).at(-1);
  return { dir, ...record, ...(lastMetrics && { lastMetrics }) };
}

function listLine({ dir, stage, state, updatedAt, result }: FoundRun): string {
  const figures = Object.entries(result?.metrics ?? {}).slice(0, 3);
  const shown = figures.map(([name, value]) => `${name} ${figure(value)}`).join("  ");
  const when = updatedAt.slice(0, 19).replace("T", " ");
  return `${when}  ${state.padEnd(9)}  ${stage.padEnd(10)}  ${dir.padEnd(30)}  ${shown}`.trimEnd();
}

function showText(run: FoundRun): string {
  const section = (title: string, object: object | undefined) =>
    object === undefined || Object.keys(object).length === 0
      ? []
      : [
          `\n${title}`,
          ...alignRows(Object.entries(object).map(([name, value]) => [name, show(value)])),
        ];
  const { dir, stage, state, startedAt, updatedAt, attempts, error } = run;
  const by = run.heldBy === undefined ? {} : { by: run.heldBy };
  const facts = { stage, state, ...by, started: startedAt, updated: updatedAt, attempts };
  return [
    dir,
    ...alignRows(Object.entries(facts).map(([name, value]) => [name, String(value)])),
    ...(error === undefined ? [] : [`  [${error.code}] ${error.message}`]),
    ...section("configuration", run.config),
    ...section("result", run.result?.metrics),
    ...section("latest record", run.lastMetrics),
  ].join("\n");
}

function show(value: unknown): string {
  if (typeof value === "number") return figure(value);
  return typeof value === "string" ? value : JSON.stringify(value);
}
