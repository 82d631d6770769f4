import { join } from "node:path";
import { Argument, type Command } from "commander";
import type { CommandScope } from "../app/command.js";
import { EXIT_CODES } from "../app/exit-codes.js";
import { barLine, judge } from "../checks/bars.js";
import { checkFlags, readCheckOptions } from "../checks/check-flags.js";
import { demoCheck } from "../checks/demo.js";
import type { LearningCheck } from "../checks/learning-check.js";
import { closedFormCheck } from "../checks/ppo-closed-form.js";
import { rewardBayesCheck } from "../checks/reward-bayes.js";
import { shakespeareCheck } from "../checks/shakespeare.js";
import { sortCheck } from "../checks/sort.js";
import { alignRows } from "../report/result-text.js";
import { wholeNumberFlag } from "./cluster-flags.js";
import { examplesText } from "./stage-command.js";

const CHECKS: readonly LearningCheck[] = [
  shakespeareCheck,
  sortCheck,
  rewardBayesCheck,
  closedFormCheck,
  demoCheck,
];

interface CheckFlags {
  seed: number;
  run?: string;
  data?: string;
  json?: boolean;
}

/** `stagecraft check NAME`: trains with a known outcome; exit code 3 when it falls short. */
export function checkCommand(command: Command, scope: CommandScope): void {
  const checks = CHECKS.map(({ name, summary }): [string, string] => [name, summary]);
  command
    .addArgument(new Argument("<name>", "which check").choices(CHECKS.map(({ name }) => name)))
    .addOption(wholeNumberFlag("--seed", "seed of everything random", 1))
    .option("--run <dir>", "run directory (default: runs/check-NAME-SEED); replaced")
    .option("--data <dir>", "for shakespeare: folder with tinyshakespeare.txt")
    .option("--json", "print NDJSON; the last line has the figures");
  for (const option of checkFlags(CHECKS)) command.addOption(option);
  command
    .addHelpText("after", `\nChecks:\n${alignRows(checks).join("\n")}`)
    .addHelpText("after", examplesText(EXAMPLES))
    .action((name: string, flags: CheckFlags) => runCheck(name, { flags, command }, scope));
}

const EXAMPLES = [
  "npm run check -- shakespeare --data FOLDER",
  "npm run check -- ppo-closed-form --beta 0.2 --estimator ppo --staleness 4 --seed 2",
  "npm run check -- reward-bayes --prompts 2000 --k 4",
  "npm run check -- demo --seed 2 --json",
];

async function runCheck(
  name: string,
  { flags, command }: { flags: CheckFlags; command: Command },
  scope: CommandScope,
): Promise<void> {
  const check = CHECKS.find((each) => each.name === name)!;
  const { seed } = flags;
  const options = await readCheckOptions(check, CHECKS, command);
  const reporter = scope.createReporter({ json: flags.json === true });
  try {
    const { figures, bars } = await check.run({
      seed,
      runDir: flags.run ?? join("runs", `check-${name}-${seed}`),
      dataDir: flags.data,
      signal: scope.signal,
      reporter,
      options,
    });
    const judged = judge(bars);
    const passed = judged.every((bar) => bar.passed);
    const text = [`${name}: ${passed ? "passed" : "fell short"}`, ...judged.map(barLine)].join(
      "\n",
    );
    reporter.result({ check: name, seed, passed, bars: judged, figures }, text);
    if (!passed) scope.setExitCode(EXIT_CODES.fellShort);
  } finally {
    reporter.close();
  }
}
