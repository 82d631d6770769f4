import { join } from "node:path";
import { parseConfig, schemaOf, UsageError } from "@stagecraft/config";
import { StagecraftError } from "@stagecraft/core";
import type { StageDefinition } from "@stagecraft/runs";
import type { PipelineFile } from "./pipeline-file.js";
import { findReferences, resolveReferences, type Bindings } from "./references.js";

/** A stage definition whose configuration type is its own business. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a heterogeneous table of stages
export type AnyStage = StageDefinition<any>;

/** One stage of a pipeline, checked, ready to be resolved once earlier stages have outputs. */
export interface PlannedStage {
  id: string;
  definition: AnyStage;
  config: Record<string, unknown>;
  runDir: string;
  /** Ids of earlier stages that it refers to. */
  uses: string[];
}

/**
 * Checks a whole pipeline before anything runs: stage names, references, and every configuration,
 * with outputs stood in for by a path. Throws UsageError listing all problems.
 */
export function planPipeline(
  file: PipelineFile,
  stages: ReadonlyMap<string, AnyStage>,
  variables: Bindings,
): PlannedStage[] {
  const problems: string[] = [];
  const planned: PlannedStage[] = [];
  for (const [id, { stage, config }] of Object.entries(file.stages)) {
    const definition = stages.get(stage);
    if (!definition) {
      problems.push(`${id}: there is no stage "${stage}"; known: ${[...stages.keys()].join(", ")}`);
      continue;
    }
    const earlier = planned.map((each) => each.id);
    const uses = [...new Set(findReferences(config).map((name) => name.split(".")[0]!))];
    const entry = { id, definition, config, runDir: join(file.run, id) };
    planned.push({ ...entry, uses: uses.filter((name) => earlier.includes(name)) });
    problems.push(...problemsOf(entry, earlier, variables));
  }
  if (problems.length > 0) throw new UsageError(`${file.name}:\n  ${problems.join("\n  ")}`);
  return planned;
}

/** The configuration with its references filled in, validated by its stage. */
export function resolveConfig(
  { id, definition, config }: Pick<PlannedStage, "id" | "definition" | "config">,
  bindings: Bindings,
): unknown {
  return parseConfig(schemaOf(definition), resolveReferences(config, bindings), {
    source: `stage ${id}`,
  });
}

function problemsOf(
  stage: Omit<PlannedStage, "uses">,
  earlier: readonly string[],
  variables: Bindings,
): string[] {
  const standIns = findReferences(stage.config)
    .filter((name) => name.includes(".") && earlier.includes(name.split(".")[0]!))
    .map((name): [string, string] => [name, `(${name})`]);
  try {
    resolveConfig(stage, new Map<string, string | number | boolean>([...variables, ...standIns]));
    return [];
  } catch (thrown) {
    return [`${stage.id}: ${StagecraftError.from(thrown).reason}`];
  }
}
