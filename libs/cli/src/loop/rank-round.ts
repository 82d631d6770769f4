import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { atomicWriteFile } from "@stagecraft/checkpoint";
import { writeRankings, type Ranking } from "@stagecraft/data";
import { readAnswers } from "../ranking/answers.js";
import { waitForFeedback } from "./feedback-source.js";
import { waitForRankings, type InboxOptions } from "./inbox.js";
import type { Round } from "./round.js";

/** What the ranking step of a round took, and from where. */
export interface Ranked {
  /** Inbox files that were taken. */
  files: string[];
  /** Up to where the feedback service was read, if it was. */
  position?: string;
  numRankings: number;
}

/** Has the answers ranked; the rankings are in the round's rankings.jsonl when it returns. */
export async function rank(round: Round, answersFile: string): Promise<Ranked> {
  const { dir, number, ranker } = round;
  const done = join(dir, "ranked.json");
  if (existsSync(done)) return JSON.parse(await readFile(done, "utf8")) as Ranked;
  const { rankings, ...source } = ranker
    ? {
        files: [],
        rankings: (await readAnswers(answersFile)).flatMap((set) => ranker(set, number) ?? []),
      }
    : await deliveredByPeople(round, answersFile);
  await writeRankings(join(dir, "rankings.jsonl"), rankings);
  const ranked: Ranked = { ...source, numRankings: rankings.length };
  await atomicWriteFile(done, JSON.stringify(ranked)); // from here on the step counts as done
  return ranked;
}

type Delivered = Omit<Ranked, "numRankings"> & { rankings: Ranking[] };

function deliveredByPeople(round: Round, answers: string): Promise<Delivered> {
  const { minRankings, pollMs, ranker } = round.config;
  const wait = {
    minRankings,
    pollMs,
    signal: round.context.signal,
    reporter: round.context.reporter,
  };
  return ranker === "feedback" ? byService(round, answers, wait) : byFiles(round, answers, wait);
}

type Wait = Pick<InboxOptions, "minRankings" | "pollMs" | "signal" | "reporter">;

function byFiles(
  { config, runDir, state, number }: Round,
  answers: string,
  wait: Wait,
): Promise<Delivered> {
  const inbox = config.inbox || join(runDir, "inbox");
  wait.reporter.info(
    `round ${number}: rank the answers in ${answers}, then put the rankings in ${inbox}`,
  );
  return waitForRankings(inbox, { consumed: new Set(state.consumed), ...wait });
}

async function byService(
  { config, state, number }: Round,
  answers: string,
  wait: Wait,
): Promise<Delivered> {
  const sets = await readAnswers(answers);
  const where = `the feedback service at ${config.feedbackAddress}`;
  wait.reporter.info(`round ${number}: ${sets.length} requests wait for rankings at ${where}`);
  const position = state.feedbackPosition ?? "";
  const delivery = await waitForFeedback(config, sets, {
    ...wait,
    position,
    modelVersion: state.policy,
  });
  return { files: [], ...delivery };
}
