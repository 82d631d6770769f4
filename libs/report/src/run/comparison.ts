import type { Comparison, SampleRow } from "../page/report-data.js";
import { exactFellNotes } from "./exact-fell.js";
import type { AnswerLine, EvaluationFile } from "./evaluation-files.js";

/** How well-known models are called; every other has the name that the evaluation gave it. */
const MODEL_NAMES: Readonly<Record<string, string>> = { sft: "SFT", ppo: "PPO", dpo: "DPO" };
const nameOf = (model: string) => MODEL_NAMES[model] ?? model;

/** What gold is, for whoever meets the column for the first time. */
const GOLD_NOTE =
  "Gold: how good an answer is by the world's own rules, 0 to 1, without the labelers' noise. No model learns from it; it only judges.";

/** The models of an evaluation side by side, with what a reader has to know about them. */
export function compareModels(
  { models, winRates }: EvaluationFile,
  answers: readonly AnswerLine[],
): Comparison {
  const scorer = ["gold", "reward"].find((name) => models.some(({ scores }) => scores[name]));
  const kinds = [...new Set(models.flatMap(({ exact }) => Object.keys(exact.byKind)))];
  const scored = scorer === undefined ? [] : models.flatMap(({ scores }) => scores[scorer] ?? []);
  for (const { byKind } of scored) {
    for (const kind of Object.keys(byKind)) if (!kinds.includes(kind)) kinds.push(kind);
  }
  const count = (of: readonly AnswerLine[]) => new Set(of.map(({ id }) => id)).size;
  const comparison: Comparison = {
    models: models.map(({ model }) => nameOf(model)),
    ...(scorer !== undefined && { scorer }),
    kinds: kinds.map((kind) => ({
      kind,
      count: count(answers.filter((answer) => (answer.kind ?? "other") === kind)),
      exact: models.map(({ exact }) => exact.byKind[kind]?.rate),
      gold: models.map(({ scores }) => scores[scorer ?? ""]?.byKind[kind]),
    })),
    overall: {
      kind: "all",
      count: count(answers),
      exact: models.map(({ exact }) => exact.overall.rate),
      gold: models.map(({ scores }) => scores[scorer ?? ""]?.overall),
    },
    winRates: winRates
      .filter((each) => each.scorer === scorer)
      .map(({ model, against, winRate }) => ({
        ...{ model: nameOf(model), against: nameOf(against), winRate },
      })),
  };
  const bestOf = models.flatMap(({ model, bestOf: best }) =>
    best === undefined
      ? []
      : [
          `${nameOf(model)} is the reward model's favourite of ${best.n} samples, the baseline for reinforcement learning: at most ${best.klBound.toFixed(2)} nats from the model that sampled.`,
        ],
  );
  const notes = [
    ...(scorer === "gold" ? [GOLD_NOTE] : []),
    ...exactFellNotes(comparison),
    ...bestOf,
  ];
  return { ...comparison, notes };
}

const SAMPLES_PER_KIND = 2;

/** The first prompts of each kind, so that nobody picked them by their answers. */
export function chooseSamples(answers: readonly AnswerLine[]): SampleRow[] {
  const byPrompt = new Map<string, AnswerLine[]>();
  for (const answer of answers) {
    byPrompt.set(answer.id, [...(byPrompt.get(answer.id) ?? []), answer]);
  }
  const shown = new Map<string, number>();
  return [...byPrompt.values()].flatMap((same) => {
    const { kind = "other", prompt } = same[0]!;
    const count = (shown.get(kind) ?? 0) + 1;
    shown.set(kind, count);
    return count > SAMPLES_PER_KIND ? [] : [{ kind, prompt, answers: same.map(sampleAnswer) }];
  });
}

function sampleAnswer({ model = "", answer, exact, scores = {} }: AnswerLine) {
  const { gold, reward } = scores;
  return {
    model: nameOf(model),
    text: answer,
    ...(exact !== undefined && { exact }),
    ...(gold !== undefined && { gold }),
    ...(reward !== undefined && { reward }),
  };
}
