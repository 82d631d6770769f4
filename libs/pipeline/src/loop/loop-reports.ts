import { feedback } from "@stagecraft/contracts";
import { createSerialQueue, StagecraftError } from "@stagecraft/core";
import type { StageProgress, StageReporter } from "@stagecraft/runs";
import type { LoopRound } from "./loop-state.js";
import type { Lack } from "./wait-for-rankings.js";

/** Tells the people's pages what the loop does, wherever it runs. Nothing waits for it but `close`. */
export interface LoopReports {
  /** The same reporter; progress of a step is also told. */
  listening(reporter: StageReporter): StageReporter;
  /** Rounds that ended before this start: told again, for nobody knows whether they were. */
  goesOn(rounds: readonly LoopRound[]): void;
  begins(round: number): void;
  waits(lacks: readonly Lack[]): void;
  finished(round: LoopRound): void;
  /** The loop has ended: all is done (no error), it was stopped, or it failed. */
  ended(error?: unknown): void;
  /** Resolves when everything was told, or could not be. */
  close(): Promise<void>;
}

/** A loop as the pages know it: by its run directory, of which the last 128 characters count. */
export const loopName = (runDir: string): string => runDir.slice(-128);

const STATES: Readonly<Record<string, readonly [feedback.LoopState, string]>> = {
  collect: [feedback.LoopState.COLLECTING, "samples answers for people to rank"],
  sft: [feedback.LoopState.SFT, "learns from the new demonstrations"],
  reward: [feedback.LoopState.REWARD, "trains the reward model on the rankings"],
  ppo: [feedback.LoopState.PPO, "improves the assistant"],
};

type Report = feedback.ReportLoopRequest;

/**
 * See LoopReports. `send` tells the service. Of what the loop does only the last is sent; each finished
 * round is sent until the service has it, with the next report where one failed.
 */
export function createLoopReports(
  loop: string,
  send: (report: Report) => Promise<unknown>,
  reporter: Pick<StageReporter, "warn">,
): LoopReports {
  const sending = createSerialQueue();
  const untoldRounds: feedback.LoopRoundResult[] = [];
  let last: Report | undefined;
  let isTold = true;
  let isWarned = false;
  let round = 0;
  const sendAll = async () => {
    while (last && (!isTold || untoldRounds.length > 0)) {
      const finished = untoldRounds[0];
      isTold = true;
      try {
        await send({ ...last, finished });
      } catch (thrown) {
        if (!isWarned) reporter.warn(untold(thrown));
        isWarned = true;
        return;
      }
      if (finished) untoldRounds.shift();
    }
  };
  const tell = (said: Partial<Report> & Pick<Report, "state" | "text">) => {
    last = { loop, round, waitsFor: [], progress: undefined, finished: undefined, ...said };
    isTold = false;
    void sending.run(sendAll);
  };
  return {
    listening: (inner) => ({
      ...inner,
      progress(progress) {
        inner.progress(progress);
        const said = progressOf(progress, round);
        if (said) tell(said);
      },
    }),
    goesOn(rounds) {
      untoldRounds.push(...rounds.map((row) => roundResult(row)));
    },
    begins(number) {
      round = number;
      tell({ state: feedback.LoopState.COLLECTING, text: `Round ${round} begins.` });
    },
    waits(lacks) {
      const waitsFor = lacks.flatMap(({ need }) => need ?? []);
      const needs = waitsFor.map(({ what, have, needed }) => `${have} of ${needed} ${what}`);
      const text = `Round ${round} waits for people: ${needs.join(", ")}.`;
      tell({ state: feedback.LoopState.WAITING, waitsFor, text });
    },
    finished(row) {
      const text = `Round ${row.round} has ended.`;
      untoldRounds.push(roundResult(row));
      tell({ state: feedback.LoopState.PUBLISHING, text });
    },
    ended: (error) => tell(endOf(error, round)),
    async close() {
      await sending.idle();
      if (untoldRounds.length === 0) return;
      await sending.run(sendAll);
      const { length } = untoldRounds;
      if (length > 0)
        reporter.warn(`the pages lack ${length} finished rounds: the next start tells them`);
    },
  };
}

function progressOf({ stage, done, total }: StageProgress, round: number) {
  const [state, text] = STATES[stage] ?? [];
  if (state === undefined) return undefined;
  const progress = total > 0 ? Math.min(1, done / total) : undefined;
  return { state, progress, text: `Round ${round} ${text}.` };
}

function endOf(thrown: unknown, round: number): Pick<Report, "state" | "text"> {
  const idle = feedback.LoopState.IDLE;
  if (thrown === undefined) return { state: idle, text: `Round ${round} is done.` };
  const { code, message } = StagecraftError.from(thrown);
  if (code !== "cancelled") return { state: feedback.LoopState.FAILED, text: message };
  return { state: idle, text: `Round ${round} was stopped; starting goes on with it.` };
}

/** What a finished round gave; `policyVersion` is what its policy is called where it answers. */
export function roundResult(
  row: LoopRound,
  policyVersion = loopName(row.policy),
): feedback.LoopRoundResult {
  const { round, newRankings, promoted, candidateAccuracy, inUseAccuracy, evalScore } = row;
  return {
    ...{ round, newRankings, promoted, policyVersion },
    rewardAccuracy: (promoted ? candidateAccuracy : inUseAccuracy) ?? undefined,
    evalScore: evalScore ?? undefined,
  };
}

function untold(thrown: unknown): string {
  const { reason } = StagecraftError.from(thrown);
  return `the pages do not show what this loop does, the loop goes on: ${reason}`;
}

/** Of a loop that asks nobody at the pages. */
export const noReports: LoopReports = {
  listening: (reporter) => reporter,
  goesOn: () => undefined,
  begins: () => undefined,
  waits: () => undefined,
  finished: () => undefined,
  ended: () => undefined,
  close: () => Promise.resolve(),
};
