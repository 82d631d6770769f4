import { feedback } from "@stagecraft/contracts";
import { finishedRounds, lastReport } from "../feedback/loop-reports.js";
import type { LoopState, LoopStatus } from "../http/api/index.js";
import type { HttpContext } from "../http/context.js";
import { readSettings } from "../store/settings.js";

const STATES: Readonly<Partial<Record<feedback.LoopState, LoopState>>> = {
  [feedback.LoopState.IDLE]: "idle",
  [feedback.LoopState.COLLECTING]: "collecting",
  [feedback.LoopState.WAITING]: "waiting",
  [feedback.LoopState.REWARD]: "reward",
  [feedback.LoopState.PPO]: "ppo",
  [feedback.LoopState.PUBLISHING]: "publishing",
  [feedback.LoopState.SFT]: "sft",
  [feedback.LoopState.FAILED]: "failed",
};

/** What the loop beside this gateway, or the one that spoke last, does; rounds and failures for operators. */
export async function loopStatus(
  { database: { db }, defaults, loop, now }: HttpContext,
  { isOperator }: { isOperator: boolean },
): Promise<LoopStatus> {
  const { automaticRounds: automatic } = await readSettings(db, defaults);
  const heard = await lastReport(db);
  const nothing: LoopStatus = {
    ...{ state: loop ? "idle" : "off", round: 0, waitsFor: [], progress: null },
    ...{ text: loop ? "No round has begun." : "No loop runs beside these pages.", failure: null },
    ...{ rounds: [], automatic, isRunning: loop?.isRunning() ?? false },
    silentSeconds: null,
  };
  if (!heard) return nothing;
  const { report, heardAt } = heard;
  const state = STATES[report.state] ?? "idle";
  const isFailure = state === "failed";
  const { isRunning } = nothing;
  const { round } = report;
  if (loop && !isRunning && !isFailure && state !== "idle") {
    // Whoever reported it has ended without a word, such as by a power cut.
    const text = `Round ${round} was interrupted; starting goes on with it.`;
    return { ...nothing, round, text, rounds: isOperator ? await roundsOf(db, report.loop) : [] };
  }
  return {
    ...{ state, round, waitsFor: report.waitsFor, automatic, isRunning },
    text: isFailure && !isOperator ? "The round has stopped; the operator is told." : report.text,
    progress: report.progress ?? null,
    // Of a loop beside these pages they know whether it runs; one elsewhere may have been killed.
    silentSeconds: loop || isFailure || state === "idle" ? null : secondsSince(heardAt, now()),
    failure:
      isFailure && isOperator ? { message: report.text, advice: "start a round again" } : null,
    rounds: isOperator ? await roundsOf(db, report.loop) : [],
  };
}

const secondsSince = (then: Date, now: Date) =>
  Math.max(0, Math.floor((now.getTime() - then.getTime()) / 1000));

async function roundsOf(db: HttpContext["database"]["db"], loop: string) {
  return (await finishedRounds(db, loop)).map(({ round, newRankings, promoted, ...rest }) => ({
    ...{ round, newRankings, promoted, finishedAt: rest.finishedAt.toISOString() },
    rewardAccuracy: rest.rewardAccuracy ?? null,
    evalScore: rest.evalScore ?? null,
    policyVersion: rest.policyVersion || null,
  }));
}
