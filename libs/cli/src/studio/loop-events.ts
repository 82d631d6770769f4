import { feedback } from "@stagecraft/contracts";
import { policyName } from "./studio-files.js";

/** A line of `stagecraft loop --json`. */
export type LoopEvent =
  | { event: "info" | "warning"; message: string }
  | { event: "progress"; stage: string; done: number; total?: number }
  | { event: "metrics"; kind?: string; [field: string]: unknown }
  | { event: "result" };

const STATES: Readonly<Record<string, feedback.LoopState>> = {
  collect: feedback.LoopState.COLLECTING,
  sft: feedback.LoopState.SFT,
  reward: feedback.LoopState.REWARD,
  ppo: feedback.LoopState.PPO,
};

const TEXTS: Readonly<Record<string, string>> = {
  collect: "samples answers for people to rank",
  sft: "learns from the new demonstrations",
  reward: "trains the reward model on the rankings",
  ppo: "improves the assistant",
};

/** What a loop says in its lines, as the pages show it; undefined where a line changes nothing. */
export function reportOf(
  event: LoopEvent,
  { loop, round }: { loop: string; round: number },
): feedback.ReportLoopRequest | undefined {
  const base = { loop, round, waitsFor: [], progress: undefined, finished: undefined };
  if (event.event === "progress") {
    const state = STATES[event.stage];
    if (state === undefined) return undefined;
    const progress = event.total ? Math.min(1, event.done / event.total) : undefined;
    return { ...base, state, progress, text: `Round ${round} ${TEXTS[event.stage]}.` };
  }
  if (event.event === "info" && event.message.startsWith("waiting for rankings")) {
    const waitsFor = needsOf(event.message);
    const needs = waitsFor.map(({ what, have, needed }) => `${have} of ${needed} ${what}`);
    const text = `Round ${round} waits for people: ${needs.join(", ")}.`;
    return { ...base, state: feedback.LoopState.WAITING, waitsFor, text };
  }
  if (event.event === "metrics" && event.kind === "round") {
    const finished = finishedOf(event);
    const text = `Round ${finished.round} has ended.`;
    return { ...base, state: feedback.LoopState.PUBLISHING, finished, text };
  }
  return undefined;
}

/** "3 of 10 new ones, 4 of 12 prompts ranked, …" as the loop says it. */
function needsOf(message: string): feedback.LoopNeed[] {
  const NAMES: readonly (readonly [RegExp, string])[] = [
    [/(\d+) of (\d+) new ones/, "rankings"],
    [/(\d+) of (\d+) prompts ranked/, "prompts ranked"],
    [/(\d+) of (\d+) held-out pairs/, "held-out pairs"],
  ];
  return NAMES.flatMap(([pattern, what]) => {
    const match = pattern.exec(message);
    return match ? [{ what, have: Number(match[1]), needed: Number(match[2]) }] : [];
  });
}

function finishedOf(event: Readonly<Record<string, unknown>>): feedback.LoopRoundResult {
  const number = (field: string) => (typeof event[field] === "number" ? event[field] : undefined);
  const promoted = event["promoted"] === true;
  return {
    ...{ round: number("round") ?? 0, newRankings: number("newRankings") ?? 0, promoted },
    rewardAccuracy: number(promoted ? "candidateAccuracy" : "inUseAccuracy"),
    evalScore: number("evalScore"),
    policyVersion: policyName(number("round") ?? 0),
  };
}
