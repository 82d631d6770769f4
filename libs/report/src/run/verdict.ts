import { formatCount, formatDuration } from "@stagecraft/core";
import type { MetricsRecord } from "./metrics-file.js";
import type { RunData } from "./read-run.js";

/** What came of a run, in a sentence or three: how it stands, then what its figures say. */
export function verdictOf(run: RunData): string {
  return [stateText(run), ...lossText(run), ...accuracyText(run), ...rewardText(run)].join(" ");
}

/** Time that the run worked, ms; for runs that did not note it, from start to last change. */
export function durationOf({ workedMs, startedAt, updatedAt }: RunData): number | undefined {
  const span = workedMs ?? Date.parse(updatedAt) - Date.parse(startedAt);
  return Number.isFinite(span) ? span : undefined;
}

/** Tokens that it learnt from; absent where it counts none. */
export function tokensOf({ metrics, result }: RunData): number | undefined {
  const updates = metrics.records.filter(({ kind }) => kind === "update");
  if (updates.length > 0) {
    return updates.reduce((sum, { numTokens }) => sum + Number(numTokens ?? 0), 0);
  }
  const { numTokens } = { ...metrics.records.findLast((each) => "numTokens" in each) };
  return typeof numTokens === "number" ? numTokens : result?.metrics["numTokens"];
}

function stateText(run: RunData): string {
  const { state, error, metrics } = run;
  const step = metrics.records.findLast((each) => typeof each["step"] === "number")?.["step"];
  const at = step === undefined ? "" : `, at step ${String(step)}`;
  const took = durationOf(run);
  const tokens = tokensOf(run);
  const over = tokens === undefined ? "" : ` over ${formatCount(tokens)} tokens`;
  switch (state) {
    case "succeeded":
      return `Finished${took === undefined ? "" : ` in ${formatDuration(took)}`}${over}.`;
    case "failed":
      return `Failed${at}: ${(error?.message ?? "no reason was written down").replace(/\.$/, "")}.`;
    case "running":
      return `Running${at}.`;
    default:
      return `${state[0]!.toUpperCase()}${state.slice(1)}${at}.`;
  }
}

/** The values of a field at the records of a kind. */
function valuesOf(run: RunData, kind: string, field: string): { step: number; value: number }[] {
  return run.metrics.records.flatMap((record: MetricsRecord) => {
    const { kind: own, step, [field]: value } = record;
    const isOne = own === kind && typeof step === "number" && typeof value === "number";
    return isOne ? [{ step, value }] : [];
  });
}

/** Of the validation loss, from which over-fitting begins to be worth a word. */
const ROSE_AGAIN = 1.02;

function lossText(run: RunData): string[] {
  const losses = valuesOf(run, "eval", "validationLoss");
  const [first, last] = [losses[0], losses.at(-1)];
  if (!first || !last || losses.length < 2) return [];
  const best = losses.reduce((low, each) => (each.value < low.value ? each : low));
  const fell = `Validation loss ${n(first.value)} → ${n(last.value)}`;
  if (last.value <= best.value * ROSE_AGAIN) return [`${fell}.`];
  const kept = run.config["selectModel"] === "best" ? " The model of its best step was kept." : "";
  return [
    `${fell}; it was lowest (${n(best.value)}) at step ${best.step} and rose again: from there on it learnt its examples by heart.${kept}`,
  ];
}

function accuracyText(run: RunData): string[] {
  const held = valuesOf(run, "eval", "accuracy");
  const [first, last] = [held[0], held.at(-1)];
  const final = run.result?.metrics["accuracy"] ?? last?.value;
  if (!first || final === undefined || held.length < 2) return [];
  return [
    `It orders ${percent(final)} of held-out pairs as people did (${percent(first.value)} at first).`,
  ];
}

function rewardText(run: RunData): string[] {
  const rewards = valuesOf(run, "eval", "evalScore");
  const sampled = valuesOf(run, "update", "score");
  const [of, all] = rewards.length > 1 ? ["held-out", rewards] : ["sampled", sampled];
  if (all.length < 2) return [];
  const kl = valuesOf(run, "update", "kl").at(-1);
  const gold = valuesOf(run, "eval", "eval_score_gold");
  const away = kl === undefined ? "" : `, ${n(kl.value)} nats an answer from the reference`;
  const change = `Reward of ${of} answers ${n(all[0]!.value)} → ${n(all.at(-1)!.value)}${away}.`;
  if (gold.length < 2) return [change];
  const [before, after] = [gold[0]!.value, gold.at(-1)!.value];
  const hacked = after < before && all.at(-1)!.value > all[0]!.value;
  return [
    change,
    `Gold score ${n(before)} → ${n(after)}${hacked ? ": the reward rose and the answers got worse; the policy exploits the reward model" : ""}.`,
  ];
}

/** Three digits, with a real minus sign. */
function n(value: number): string {
  return String(Number(value.toPrecision(3))).replace("-", "−");
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
