import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { kebabCase } from "@stagecraft/config";
import { feedback } from "@stagecraft/contracts";
import { createSerialQueue, StagecraftError } from "@stagecraft/core";
import { engineSettings, type EngineSettings } from "@stagecraft/fields";
import { findLoopState, loopName, roundResult } from "@stagecraft/pipeline";
import {
  readSettings,
  reportLoop,
  type Database,
  type LoopControl,
} from "@stagecraft/service-gateway";
import { runRounds } from "./run-rounds.js";
import { finishedRounds, policyName, type StudioFiles } from "./studio-files.js";

export interface StudioLoopOptions {
  files: StudioFiles;
  database: Database;
  /** Where the round finds the gateway's FeedbackService. */
  feedbackAddress: string;
  /** Of the process that computes a round. */
  engine: EngineSettings;
  /** New rankings that a round waits for. */
  minRankings: number;
  /** A round has ended: there is a new policy. */
  onRound(): Promise<void>;
}

/** Rounds of the loop, each in a process of its own, so that the pages answer while it computes. */
export interface StudioLoop extends LoopControl {
  /** Stops a round at its next checkpoint and waits for it. */
  close(): Promise<void>;
}

const PROGRAM = fileURLToPath(new URL("../../bin/stagecraft.mjs", import.meta.url));

/** See StudioLoop. Starting again goes on with a round that was stopped. */
export function createStudioLoop(options: StudioLoopOptions): StudioLoop {
  const { files, database } = options;
  let child: ChildProcess | undefined;
  // From the click until its end is told: the new policy is loaded after the process has ended.
  let isRunning = false;
  let isClosed = false;
  let ended: Promise<void> = Promise.resolve();
  const writes = createSerialQueue();
  const report = (said: feedback.ReportLoopRequest) =>
    writes.run(() => database.transact((tx) => reportLoop(tx, said, new Date())));
  // The process reports under the same name what it does.
  const loop = loopName(files.loopDir);
  const tell = (
    state: feedback.LoopState,
    round: number,
    text: string,
    finished?: feedback.LoopRoundResult,
  ) => report({ loop, state, round, text, finished, waitsFor: [], progress: undefined });

  /** Throws what the process said last where it failed. */
  const runProcess = async (round: number): Promise<"done" | "stopped"> => {
    const started = spawn(process.execPath, [PROGRAM, ...argumentsOf(options, round)], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    child = started;
    let lastError = "";
    createInterface({ input: started.stderr }).on("line", (line) => (lastError = line));
    const code = await new Promise<number | null>((resolve) => started.once("close", resolve));
    child = undefined;
    if (code === 0) return "done";
    if (code === 130 || code === 143) return "stopped";
    const why = lastError.replace(/^\[\w+\] /, "") || `the round's process ended with ${code}`;
    throw new StagecraftError("internal", why);
  };

  /** With the name under which its policy answers here. */
  const resultOf = async (round: number) => {
    const row = (await findLoopState(files.loopDir))?.rounds[round - 1];
    return row && roundResult(row, policyName(round));
  };

  /** Whether it was done to its end. */
  const run = async (round: number): Promise<boolean> => {
    try {
      if ((await runProcess(round)) === "stopped") {
        const text = `Round ${round} was stopped; starting goes on with it.`;
        await tell(feedback.LoopState.IDLE, round, text);
        return false;
      }
      await options.onRound();
      const text = `Round ${round} is done; its assistant answers now.`;
      await tell(feedback.LoopState.IDLE, round, text, await resultOf(round));
      return true;
    } catch (thrown) {
      await tell(feedback.LoopState.FAILED, round, StagecraftError.from(thrown).message);
      return false;
    } finally {
      isRunning = false;
    }
  };

  /** Whether the operator's setting asks for this round too; then it is begun. */
  const goesOn = async (round: number): Promise<boolean> => {
    const { automaticRounds } = await readSettings(database.db, {});
    if (!automaticRounds || isClosed || isRunning) return false;
    isRunning = true;
    await tell(feedback.LoopState.COLLECTING, round, `Round ${round} begins.`);
    return true;
  };

  return {
    isRunning: () => isRunning,
    async start() {
      if (isRunning) {
        throw new StagecraftError("failed_precondition", "a round is running already");
      }
      isRunning = true;
      try {
        const round = (await finishedRounds(files)) + 1;
        await tell(feedback.LoopState.COLLECTING, round, `Round ${round} begins.`);
        ended = runRounds(round, { run, goesOn });
        void ended.catch(() => undefined); // told as the loop's state
      } catch (thrown) {
        isRunning = false;
        throw thrown;
      }
    },
    async stop() {
      child?.kill("SIGINT");
    },
    async close() {
      isClosed = true;
      child?.kill("SIGINT");
      await ended.catch(() => undefined);
      await writes.idle();
    },
  };
}

const PROMPTS_PER_ROUND = 12;
const SHARE = 0.8;
/** So many new examples bring SFT into a round; with fewer they wait for the next. */
const MIN_DEMONSTRATIONS = 3;

function argumentsOf(options: StudioLoopOptions, round: number): string[] {
  const { files, feedbackAddress, minRankings } = options;
  const promptsPerRound = Math.max(PROMPTS_PER_ROUND, Math.ceil(minRankings / SHARE));
  const flags: Record<string, string | number | undefined> = {
    policy: files.policy,
    registry: files.registry,
    reference: files.sftModel,
    "reward-model": files.rewardModel,
    "reward-start": files.sftModel,
    prompts: files.prompts,
    "eval-prompts": files.evalPrompts,
    rankings: files.rankings,
    "held-out-rankings": files.heldOutRankings,
    "ppo-config": files.ppoConfig || undefined,
    "reward-config": files.rewardConfig || undefined,
    "sft-every": 1,
    "min-demonstrations": MIN_DEMONSTRATIONS,
    demonstrations: files.demonstrations,
    "sft-config": files.sftConfig || undefined,
    ranker: "feedback",
    "feedback-address": feedbackAddress,
    "prompts-per-round": promptsPerRound,
    "min-rankings": minRankings,
    "min-ranked-share": Math.min(SHARE, minRankings / promptsPerRound),
    rounds: round,
    run: files.loopDir,
    ...Object.fromEntries(
      Object.entries(engineSettings(options.engine)).map(([field, value]) => [
        kebabCase(field),
        value,
      ]),
    ),
  };
  const given = Object.entries(flags).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}`, String(value)],
  );
  return ["loop", "--json", ...given, "--resume"];
}
