import { join, relative, resolve, sep } from "node:path";
import { stageProblems, type Forecast, type OutputFacts } from "@stagecraft/runs";
import { StagecraftError } from "@stagecraft/core";
import { UsageError } from "@stagecraft/config";
import { resolveConfig, type PlannedStage } from "./plan.js";
import { findReferences, type Bindings } from "./references.js";

export interface CheckPlanOptions {
  variables: Bindings;
  /** Stages that are not going to run: what they read is not looked at any more. */
  finished?: ReadonlySet<string>;
}

/**
 * Looks at every stage before the first one works: inputs that are missing, sizes that do not fit,
 * limits that disagree. What an earlier stage will write counts as present, with what is known of it.
 * Throws UsageError listing all problems.
 */
export async function checkPlan(
  plan: readonly PlannedStage[],
  { variables, finished = new Set() }: CheckPlanOptions,
): Promise<void> {
  const problems: string[] = [];
  const bindings = new Map(variables);
  const facts = new Map<string, OutputFacts>();
  const runDirs: string[] = [];
  const ahead: Forecast = {
    of: (path) => facts.get(path) ?? (runDirs.some((dir) => isInside(path, dir)) ? {} : undefined),
  };
  for (const stage of plan) {
    const { id, definition, runDir } = stage;
    bindOutputs(stage, plan, bindings);
    const config = resolveConfig(stage, bindings);
    if (!finished.has(id)) {
      const found = await stageProblems(definition, config, ahead);
      problems.push(...[...found.missing, ...found.problems].map((text) => `${id}: ${text}`));
    }
    const outputs = await outputsOf(stage, config, ahead);
    problems.push(...unknownOutputs(stage, outputs, plan));
    for (const [name, known] of Object.entries(outputs ?? {})) {
      facts.set(join(runDir, name), known);
    }
    runDirs.push(runDir);
  }
  if (problems.length > 0) throw new UsageError(`this cannot work:\n  ${problems.join("\n  ")}`);
}

/** Where an output would lie, for every one that this stage refers to. */
function bindOutputs(
  { config }: PlannedStage,
  plan: readonly PlannedStage[],
  bindings: Map<string, string | number | boolean>,
): void {
  for (const reference of findReferences(config)) {
    const [id, name] = reference.split(".");
    const source = plan.find((stage) => stage.id === id);
    if (source && name !== undefined) bindings.set(reference, join(source.runDir, name));
  }
}

/** Undefined when the stage does not tell, or when what it reads is not there (told already). */
async function outputsOf(
  { definition }: PlannedStage,
  config: unknown,
  ahead: Forecast,
): Promise<Record<string, OutputFacts> | undefined> {
  try {
    return await definition.outputs?.(config, ahead);
  } catch (thrown) {
    if (StagecraftError.from(thrown).code === "internal") throw thrown;
    return undefined;
  }
}

/** References to an output that the stage does not have. */
function unknownOutputs(
  { id, definition }: PlannedStage,
  outputs: Record<string, OutputFacts> | undefined,
  plan: readonly PlannedStage[],
): string[] {
  if (!outputs) return [];
  return plan.flatMap((later) =>
    findReferences(later.config)
      .filter((name) => name.startsWith(`${id}.`) && !(name.slice(id.length + 1) in outputs))
      .map((name) => {
        const known = Object.keys(outputs).map((output) => `\${${id}.${output}}`);
        return `${later.id}: ${definition.name} has no output \${${name}}; it has ${known.join(", ")}`;
      }),
  );
}

function isInside(path: string, dir: string): boolean {
  const name = relative(resolve(dir), resolve(path));
  return name === "" || (name !== ".." && !name.startsWith(`..${sep}`));
}
