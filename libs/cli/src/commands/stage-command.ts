import { join } from "node:path";
import type { Command } from "commander";
import type { StageContext, StageDefinition, StageResult } from "@stagecraft/runs";
import type { CommandScope } from "../app/command.js";
import { StagecraftError } from "@stagecraft/core";
import { schemaOf, UsageError } from "@stagecraft/config";
import { addConfigFlags, readConfig } from "../flags/config-flags.js";
import { whereTo } from "../models/model-argument.js";
import { withMergedAdapters } from "../models/with-merged-adapters.js";
import { withModelUrls } from "../models/with-model-urls.js";
import { adviseOnStop } from "../report/advise-on-stop.js";
import { resultText } from "../report/result-text.js";
import { addSinkFlags, withSinks, type SinkFlags } from "../sinks/sink-flags.js";

interface StageFlags extends SinkFlags {
  run: string;
  resume?: boolean;
  overwrite?: boolean;
  json?: boolean;
  dryRun?: boolean;
}

/** The stage that a command line really means, with the same fields. */
export type ChooseStage<C> = (stage: StageDefinition<C>) => Promise<StageDefinition<C>>;

/**
 * Turns a stage into a command: its schema into flags, its run directory into --run and --resume.
 * `choose` may put another in its place once the flags are known.
 */
export function stageCommand<C>(stage: StageDefinition<C>, choose?: ChooseStage<C>) {
  return (command: Command, scope: CommandScope): void => {
    command
      .option("--run <dir>", "run directory", join("runs", stage.name))
      .option("--resume", "continue the run from its last checkpoint")
      .option("--overwrite", "replace an earlier run in the directory")
      .option("--dry-run", "check the configuration, print it with its defaults, and stop")
      .option("--json", "print NDJSON: progress, metrics and one result");
    addSinkFlags(command);
    const schema = schemaOf(stage);
    addConfigFlags(command, schema);
    command.addHelpText("after", examplesText(stage.examples));
    command.action(async () => {
      const meant = (await choose?.(stage)) ?? stage;
      // Another stage than the command's runs elsewhere, and names mean what they mean there.
      const chosen = meant === stage ? withModelUrls(stage) : meant;
      const read = (await readConfig(schemaOf(chosen), command)) as C;
      const config = meant === stage ? await withMergedAdapters(read, whereTo(scope)) : read;
      const flags = command.opts<StageFlags>();
      if (flags.resume && flags.overwrite) {
        throw new UsageError("--resume continues a run and --overwrite replaces it: choose one");
      }
      await check(chosen, config);
      if (flags.dryRun) {
        scope.io.out.write(`${JSON.stringify(config, null, flags.json ? 0 : 2)}\n`);
        return;
      }
      await runStage(chosen, config, { ...flags, scope });
    });
  };
}

/** Missing files are a failure like any other; settings that cannot work are wrong usage. */
async function check<C>(stage: StageDefinition<C>, config: C): Promise<void> {
  const { checkStage } = await import("@stagecraft/runs"); // not for --help
  try {
    await checkStage(stage, config);
  } catch (thrown) {
    const { code, reason } = StagecraftError.from(thrown);
    throw code === "invalid_argument" ? new UsageError(reason, thrown) : thrown;
  }
}

/** The examples block of a command's --help. */
export function examplesText(examples: readonly string[]): string {
  return examples.length === 0
    ? ""
    : `\nExamples:\n${examples.map((line) => `  ${line}`).join("\n")}`;
}

interface RunStageOptions extends StageFlags {
  scope: CommandScope;
}

async function runStage<C>(
  stage: StageDefinition<C>,
  config: C,
  { scope, ...flags }: RunStageOptions,
): Promise<StageResult> {
  const reporter = scope.createReporter({ json: flags.json === true });
  const context: Omit<StageContext, "reporter"> = {
    runDir: flags.run,
    resume: flags.resume === true,
    overwrite: flags.overwrite === true,
    signal: scope.signal,
  };
  try {
    const advice = "stopped; the same command with --resume goes on where it was";
    const work = () =>
      withSinks(flags, { root: flags.run, reporter }, (told) =>
        stage.run(config, { ...context, reporter: told }),
      );
    const result = await adviseOnStop(work, { reporter, advice });
    reporter.result(
      { stage: stage.name, run: flags.run, ...result },
      resultText(stage.name, result),
    );
    return result;
  } finally {
    reporter.close();
  }
}
