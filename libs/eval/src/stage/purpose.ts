import { taskProblems } from "../tasks/task-files.js";
import { evaluateSchema, type EvaluateConfig } from "./config.js";

/** What a run does: lets models answer prompts and compares them, or measures them on tasks. */
export type Purpose = "prompts" | "tasks";

type Field = keyof EvaluateConfig;

/** Settings that only one purpose reads; those in neither list are read by both. */
const OWN: Readonly<Record<Purpose, readonly Field[]>> = {
  prompts: [
    ...(["prompts", "rewardModel", "bestOf", "baselines", "baselineTemperature"] as const),
    ...(["temperature", "topK", "topP", "maxNewTokens", "courtesies", "tieMargin"] as const),
    ...(["format"] as const),
  ],
  tasks: ["tasks", "examples", "shots", "asChat", "taskTokens"],
};

/** Settings that change nothing unless another one is made. */
const NEEDS: readonly (readonly [Field, Field, Purpose])[] = [
  ["chatTemplate", "asChat", "tasks"],
  ["baselineTemperature", "baselines", "prompts"],
];

const DEFAULTS = evaluateSchema.partial({ models: true }).parse({});

/** Sentences about settings that the run would not read: a run has one purpose. */
export function purposeProblems(config: EvaluateConfig): string[] {
  const { prompts, tasks, examples } = config;
  if (tasks.length === 0 && prompts.length === 0) {
    return ["there is nothing to evaluate on: give prompts to answer, or tasks to measure"];
  }
  const [purpose, other]: readonly Purpose[] =
    tasks.length > 0 ? ["tasks", "prompts"] : ["prompts", "tasks"];
  const isSet = (field: Field) => !isDefault(config, field);
  return [
    ...OWN[other!]
      .filter(isSet)
      .map(
        (field) =>
          `${field} belongs to ${other} and has no part in ${purpose}: leave it out, or evaluate twice`,
      ),
    ...NEEDS.filter(([field, needed, on]) => on === purpose && isSet(field) && !isSet(needed)).map(
      ([field, needed]) => `${field} belongs to ${needed}: set that too, or leave ${field} out`,
    ),
    ...(tasks.length > 0 ? taskProblems(tasks, examples) : []),
  ];
}

/** A setting with its default's value says nothing, whoever wrote it. */
function isDefault(config: EvaluateConfig, field: Field): boolean {
  return JSON.stringify(config[field]) === JSON.stringify(DEFAULTS[field]);
}
