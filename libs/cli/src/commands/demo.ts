import { join } from "node:path";
import { Option, type Command } from "commander";
import { formatDuration } from "@stagecraft/core";
import type { ENGINES } from "@stagecraft/fields";
import type { CommandScope } from "../app/command.js";
import { EXIT_CODES } from "../app/exit-codes.js";
import { PRESETS, type PresetName } from "../demo/presets.js";
import type { DemoOutcome } from "../demo/run-demo.js";
import { engineFlag, PLUGIN_FLAG } from "../flags/model-flags.js";
import { adviseOnStop, goesOn } from "../report/advise-on-stop.js";
import { alignRows } from "../report/result-text.js";
import { wholeNumberFlag } from "./cluster-flags.js";
import { examplesText } from "./stage-command.js";

interface DemoFlags {
  preset: PresetName;
  out: string;
  seed: number;
  engine: (typeof ENGINES)[number];
  plugin?: string;
  fresh?: boolean;
  rerun?: string[];
  check?: boolean;
  json?: boolean;
}

/**
 * `stagecraft demo`: all stages on the small world, a table, answers side by side, report.html. Called
 * again it goes on, or shows what is there; only `--fresh` deletes.
 */
export function demoCommand(command: Command, scope: CommandScope): void {
  command
    .addOption(new Option("--preset <name>", "how large").choices(PRESETS).default("default"))
    .option("--out <dir>", "where everything goes", join("runs", "demo"))
    .addOption(wholeNumberFlag("--seed", "seed of everything random", 1))
    .addOption(engineFlag())
    .option("--plugin <file>", PLUGIN_FLAG)
    .option("--fresh", "delete the demo that is there and start over; without it the demo goes on")
    .option("--rerun <id...>", "run these stages again, and all that use their outputs")
    .option("--check", "exit with 3 when the demo does not show what it should")
    .option("--json", "print NDJSON; the last line is the result")
    .addHelpText("after", examplesText(EXAMPLES))
    .action((flags: DemoFlags) => demo(flags, scope));
}

const EXAMPLES = [
  "npm run demo",
  "npx stagecraft demo --seed 2 --out runs/demo2",
  "npx stagecraft demo --rerun reward",
  "npx stagecraft demo --fresh",
  "npx stagecraft demo --preset tiny --out runs/demo-tiny --check",
  "npx stagecraft demo --engine xla --out runs/demo-gpu",
];

async function demo(flags: DemoFlags, scope: CommandScope): Promise<void> {
  // Only now: the tensor engine takes a second to load, and --help does not need it.
  const { runDemo } = await import("../demo/run-demo.js");
  const { demoText } = await import("../demo/demo-text.js");
  const startMs = Date.now();
  const reporter = scope.createReporter({ json: flags.json === true });
  try {
    const { preset, out, seed, rerun = [] } = flags;
    const fresh = flags.fresh === true;
    const context = { signal: scope.signal, reporter };
    const { plugin } = flags;
    // Left out where the stages choose: then it is the demo that it always was.
    const engine = flags.engine === "auto" ? undefined : flags.engine;
    const work = () => runDemo({ preset, seed, out, engine, plugin, fresh, rerun }, context);
    const advice = `stopped; ${goesOn({ "--fresh": fresh, "--rerun": rerun.length > 0 })}`;
    const outcome = await adviseOnStop(work, { reporter, advice });
    const durationMs = Date.now() - startMs;
    const { claims, files } = outcome;
    const stages = Object.fromEntries(outcome.stages);
    reporter.result(
      { preset, seed, out, durationMs, claims, files, stages },
      [demoText(outcome), nextSteps(out, outcome, durationMs)].join("\n\n"),
    );
    if (flags.check && claims.some(({ passed }) => !passed))
      scope.setExitCode(EXIT_CODES.fellShort);
  } finally {
    reporter.close();
  }
}

/** What was done, and what there is to do with it. */
function nextSteps(
  out: string,
  { files, questions, finishedBefore }: DemoOutcome,
  durationMs: number,
): string {
  const model = join(out, "ppo", "model");
  const done = finishedBefore
    ? `Finished already (${finishedBefore.slice(0, 16).replace("T", " ")} UTC); nothing was trained now. Add --fresh to start over.`
    : `Done in ${formatDuration(durationMs)}.`;
  const steps: [string, string][] = [
    ["talk to it", `npx stagecraft chat ${model}`],
    ["rank, write and chat on pages", `npx stagecraft studio --from ${out}`],
    ["read the report", files.html],
    ["see its answers token by token", `npx stagecraft inspect ${join(out, "ppo")} --html`],
    ["figures for machines", files.json],
  ];
  const asked = questions.map((question) => `  ${question}`);
  const ask = asked.length === 0 ? [] : ["", "Worth asking; it has not seen these:", ...asked];
  return [done, ...alignRows(steps), ...ask].join("\n");
}
