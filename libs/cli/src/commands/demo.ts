import { join } from "node:path";
import { Option, type Command } from "commander";
import { formatDuration } from "@stagecraft/core";
import type { CommandScope } from "../app/command.js";
import { EXIT_CODES } from "../app/exit-codes.js";
import { UsageError } from "../app/usage-error.js";
import { PRESETS, type PresetName } from "../demo/presets.js";
import { examplesText } from "./stage-command.js";

interface DemoFlags {
  preset: PresetName;
  out: string;
  seed: string;
  resume?: boolean;
  rerun?: string[];
  check?: boolean;
  json?: boolean;
}

/** `stagecraft demo`: all stages on the small world, a table, answers side by side, report.html. */
export function demoCommand(command: Command, scope: CommandScope): void {
  command
    .addOption(new Option("--preset <name>", "how large").choices(PRESETS).default("default"))
    .option("--out <dir>", "where everything goes; replaced unless --resume", join("runs", "demo"))
    .option("--seed <number>", "seed of everything random", "1")
    .option("--resume", "continue an interrupted demo; finished stages are skipped")
    .option("--rerun <id...>", "with --resume: run these stages again, and all that follows")
    .option("--check", "exit with 3 when the demo does not show what it should")
    .option("--json", "print NDJSON; the last line is the result")
    .addHelpText("after", examplesText(EXAMPLES))
    .action((flags: DemoFlags) => demo(flags, scope));
}

const EXAMPLES = [
  "npm run demo",
  "npx stagecraft demo --seed 2 --out runs/demo2",
  "npx stagecraft demo --resume --rerun reward",
  "npx stagecraft demo --preset tiny --check",
];

async function demo(flags: DemoFlags, scope: CommandScope): Promise<void> {
  const seed = Number(flags.seed);
  if (!Number.isInteger(seed) || seed < 0) {
    throw new UsageError(`--seed ${flags.seed}: expected a whole number of 0 or more`);
  }
  // Only now: the tensor engine takes a second to load, and --help does not need it.
  const { runDemo } = await import("../demo/run-demo.js");
  const { demoText } = await import("../demo/demo-text.js");
  const startMs = Date.now();
  const reporter = scope.createReporter({ json: flags.json === true });
  try {
    const { preset, out, rerun = [] } = flags;
    const fresh = flags.resume !== true;
    const outcome = await runDemo(
      { preset, seed, out, fresh, rerun },
      { signal: scope.signal, reporter },
    );
    const time = formatDuration(Date.now() - startMs);
    const text = `${demoText(outcome)}\n\nDone in ${time}. Talk to it: npx stagecraft chat ${join(out, "ppo", "model")}`;
    const { claims, files } = outcome;
    const stages = Object.fromEntries(outcome.stages);
    reporter.result(
      { preset, seed, out, durationMs: Date.now() - startMs, claims, files, stages },
      text,
    );
    if (flags.check && claims.some(({ passed }) => !passed))
      scope.setExitCode(EXIT_CODES.fellShort);
  } finally {
    reporter.close();
  }
}
