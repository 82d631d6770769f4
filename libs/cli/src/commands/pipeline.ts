import { join } from "node:path";
import type { Command } from "commander";
import { formatDuration } from "@stagecraft/core";
import type { CommandScope } from "../app/command.js";
import { UsageError } from "@stagecraft/config";
import {
  type Bindings,
  type PlannedStage,
  checkPlan,
  loadStages,
  pipelineJsonSchema,
  planPipeline,
  readPipelineFile,
  runPipeline,
  stagesToSkip,
} from "@stagecraft/pipeline";
import { worldRanker } from "../demo/world-ranker.js";
import { checkPushBase, pushStageModels } from "../models/push-stage-models.js";
import { withModelUrls } from "../models/with-model-urls.js";
import { adviseOnStop, goesOn } from "../report/advise-on-stop.js";
import { alignRows } from "../report/result-text.js";
import { addSinkFlags, withSinks, type SinkFlags } from "../sinks/sink-flags.js";
import { addKubernetesFlags, runAsJobs, type KubernetesFlags } from "./pipeline-kubernetes.js";
import { examplesText } from "./stage-command.js";

interface RunFlags extends SinkFlags, KubernetesFlags {
  run?: string;
  until?: string;
  set?: string[];
  rerun?: string[];
  rerunId?: string;
  pushModels?: string;
  json?: boolean;
  dryRun?: boolean;
}

/** `stagecraft pipeline run FILE` and `stagecraft pipeline schema`. */
export function pipelineCommand(command: Command, scope: CommandScope): void {
  addKubernetesFlags(addSinkFlags(command.command("run")))
    .description("run a pipeline file; finished stages are skipped, an interrupted one resumes")
    .argument("<file>", "pipeline file (YAML or JSON)")
    .option("--run <dir>", "run directory instead of the file's own")
    .option("--set <name=value...>", "values for the file's variables")
    .option("--rerun <id...>", "run these stages again, and all that use their outputs")
    .option(
      "--rerun-id <name>",
      "name of that rerun: by the same name it happens once, and the command goes on with it",
    )
    .option(
      "--push-models <url>",
      "an object store's folder for the models, URL/STAGE, such as s3://models/mine",
    )
    .option("--until <id>", "end after this stage")
    .option("--dry-run", "check the whole file and print the plan; with --kubernetes the objects")
    .option("--json", "print NDJSON")
    .addHelpText("after", examplesText(EXAMPLES))
    .action((file: string, flags: RunFlags) =>
      flags.kubernetes ? runInCluster(file, flags, scope) : run(file, flags, scope),
    );
  command
    .command("schema")
    .description("print the JSON schema of pipeline files")
    .action(async () => {
      const schema = pipelineJsonSchema(await loadStages([worldRanker]));
      scope.io.out.write(`${JSON.stringify(schema, null, 2)}\n`);
    });
  command.addHelpText("after", examplesText(EXAMPLES));
}

const EXAMPLES = [
  "npx stagecraft pipeline run examples/pipeline.yaml",
  "npx stagecraft pipeline run examples/pipeline.yaml --set data=/my/texts --run runs/mine",
  "npx stagecraft pipeline run examples/pipeline.yaml --rerun sft",
  "npx stagecraft pipeline run examples/pipeline.yaml --kubernetes --set data=/data/in/texts --dry-run",
];

async function run(path: string, flags: RunFlags, scope: CommandScope): Promise<void> {
  const original = await readPipelineFile(path);
  const file = { ...original, run: flags.run ?? original.run };
  const variables = bindVariables(file.variables, flags.set ?? []);
  const stages = [...(await loadStages([worldRanker]))];
  const withUrls = new Map(stages.map(([name, stage]) => [name, withModelUrls(stage)]));
  const plan = planUntil(planPipeline(file, withUrls, variables), flags.until);
  if (flags.dryRun) {
    const { rerun = [], rerunId } = flags;
    const finished = await stagesToSkip(plan, { runDir: file.run, rerun, rerunId });
    await checkPlan(plan, { variables, finished });
    const rows = plan.map(({ id, definition, runDir }): [string, string] => [
      id,
      `${definition.name} → ${runDir}`,
    ]);
    scope.io.out.write(
      `${[`${file.name}: ${plan.length} stages`, ...alignRows(rows)].join("\n")}\n`,
    );
    return;
  }
  await checkPushBase(flags.pushModels);
  const reporter = scope.createReporter({ json: flags.json === true });
  try {
    const { rerun = [], rerunId } = flags;
    const work = () =>
      withSinks(flags, { root: file.run, reporter }, (told) => {
        const context = { signal: scope.signal, reporter: told };
        return runPipeline(plan, { runDir: file.run, variables, rerun, rerunId, context });
      });
    const advice = `stopped; ${goesOn({ "--rerun": rerun.length > 0 && rerunId === undefined })}`;
    const records = await adviseOnStop(work, { reporter, advice });
    const pushed = await pushStageModels(records, flags.pushModels, {
      reporter,
      signal: scope.signal,
    });
    const rows = [...records].map(([id, { durationMs, result }]): [string, string] => [
      id,
      `${formatDuration(durationMs).padStart(7)}  ${result.modelDir ?? Object.values(result.outputs)[0] ?? join(file.run, id)}`,
    ]);
    const text = [`${file.name}: done`, ...alignRows(rows)].join("\n");
    reporter.result(
      { pipeline: file.name, run: file.run, stages: Object.fromEntries(records), pushed },
      text,
    );
  } finally {
    reporter.close();
  }
}

/** `--kubernetes`: the stages as Jobs; files that are there cannot be looked at from here. */
async function runInCluster(path: string, flags: RunFlags, scope: CommandScope): Promise<void> {
  const file = await readPipelineFile(path);
  const variables = bindVariables(file.variables, flags.set ?? []);
  const stages = await loadStages([worldRanker]);
  const plan = planUntil(planPipeline(file, stages, variables), flags.until);
  await runAsJobs({ path, file, plan, flags }, scope);
}

/** The plan up to a stage. */
function planUntil(plan: PlannedStage[], id: string | undefined): PlannedStage[] {
  if (id === undefined) return plan;
  const at = plan.findIndex((stage) => stage.id === id);
  if (at >= 0) return plan.slice(0, at + 1);
  const known = plan.map((stage) => stage.id).join(", ");
  throw new UsageError(`--until ${id}: no such stage; known: ${known}`);
}

/** The file's variables with `--set name=value` on top; numbers and booleans keep their type. */
function bindVariables(
  variables: Readonly<Record<string, string | number | boolean>>,
  settings: readonly string[],
): Bindings {
  const bound = new Map(Object.entries(variables));
  for (const setting of settings) {
    const [, name, value] = /^([^=]+)=(.*)$/s.exec(setting) ?? [];
    if (name === undefined || !bound.has(name)) {
      const known = [...bound.keys()].join(", ") || "none";
      throw new UsageError(
        `--set ${setting}: expected NAME=VALUE with a variable of the file (${known})`,
      );
    }
    bound.set(name, typeof bound.get(name) === "string" ? value! : parseScalar(value!));
  }
  return bound;
}

function parseScalar(text: string): string | number | boolean {
  if (text === "true" || text === "false") return text === "true";
  return text.trim() !== "" && !Number.isNaN(Number(text)) ? Number(text) : text;
}
