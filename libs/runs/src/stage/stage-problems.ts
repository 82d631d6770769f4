/**
 * What can be known before any work: that inputs are there, that sizes fit, that the limits of stages
 * agree. The outputs of earlier stages of a pipeline count as present, with what is known of them.
 */
import { StagecraftError } from "@stagecraft/core";
import { readModelInfo } from "@stagecraft/model";
import type { Forecast, OutputFacts } from "./forecast.js";
import type { StageDefinition } from "./stage.js";
import { inputProblem } from "./stage-input.js";

/** For a stage that runs alone. */
const NOTHING_AHEAD: Forecast = { of: () => undefined };

type Checked<C> = Pick<StageDefinition<C>, "inputs" | "contradictions" | "problems">;

/** Every problem of a stage's configuration that shows before any work, one sentence each. */
export async function stageProblems<C>(
  stage: Checked<C>,
  config: C,
  ahead: Forecast = NOTHING_AHEAD,
): Promise<{ missing: string[]; problems: string[] }> {
  const inputs = (stage.inputs?.(config) ?? []).filter(({ path }) => !ahead.of(path));
  const looked = await Promise.all(inputs.map(inputProblem));
  const missing = looked.filter((problem) => problem !== undefined);
  // What does not load would only be told a second time.
  const further = missing.length > 0 ? [] : await stage.problems?.(config, ahead);
  return { missing, problems: [...(stage.contradictions?.(config) ?? []), ...(further ?? [])] };
}

/** Throws `not_found` naming every input that is missing, `invalid_argument` for other problems. */
export async function checkStage<C>(stage: Checked<C>, config: C): Promise<void> {
  const { missing, problems } = await stageProblems(stage, config);
  if (missing.length > 0) throw new StagecraftError("not_found", missing.join("; "));
  if (problems.length > 0) throw new StagecraftError("invalid_argument", problems.join("; "));
}

/** What is known of a model directory, present or to come. */
export async function modelFacts(dir: string, ahead: Forecast): Promise<OutputFacts> {
  const forecast = ahead.of(dir);
  if (forecast) return forecast;
  const { config, heads } = await readModelInfo(dir);
  return { maxPositions: config.maxPositions, heads };
}

/** A `contextLength` that is more than a model has positions; 0 means all of them. */
export async function contextProblems(
  contextLength: number,
  dirs: readonly string[],
  ahead: Forecast,
): Promise<string[]> {
  const facts = await Promise.all(dirs.map((dir) => modelFacts(dir, ahead)));
  return dirs.flatMap((dir, i) => {
    const { maxPositions } = facts[i]!;
    if (maxPositions === undefined || contextLength <= maxPositions) return [];
    return `contextLength ${contextLength} is more than the ${maxPositions} positions of ${dir}; lower it, or take a model of longer context`;
  });
}

/** A `maxNewTokens` that leaves no position for a prompt. */
export async function answerProblems(
  maxNewTokens: number,
  dirs: readonly string[],
  ahead: Forecast,
): Promise<string[]> {
  const facts = await Promise.all(dirs.map((dir) => modelFacts(dir, ahead)));
  return dirs.flatMap((dir, i) => {
    const { maxPositions } = facts[i]!;
    if (maxPositions === undefined || maxNewTokens < maxPositions) return [];
    return `maxNewTokens ${maxNewTokens} leaves no room for a prompt in the ${maxPositions} positions of ${dir}; lower it, or take a model of longer context`;
  });
}

/** A model that lacks the head it is needed for. */
export async function headProblems(
  head: "lm" | "score",
  dirs: Readonly<Record<string, string>>,
  ahead: Forecast,
): Promise<string[]> {
  const problems: string[] = [];
  for (const [field, dir] of Object.entries(dirs)) {
    const { heads } = dir === "" ? {} : await modelFacts(dir, ahead);
    if (heads === undefined || heads.includes(head)) continue;
    const wanted = head === "score" ? "score head: it is no reward model" : "language-model head";
    problems.push(`${field}: ${dir} has no ${wanted}`);
  }
  return problems;
}
