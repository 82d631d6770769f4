import { existsSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { atomicWriteFile } from "@stagecraft/checkpoint";
import { lastWords, writeRankings, type Ranking } from "@stagecraft/data";
import { readAnswers, type Answers } from "../ranking/answers.js";
import { openFeedback } from "./feedback-source.js";
import { openInbox } from "./inbox.js";
import { readPool } from "./pool.js";
import { rankingGoal } from "./ranking-goal.js";
import { rankingFiles, type Round } from "./round.js";
import { waitForRankings, type RankingSource } from "./wait-for-rankings.js";

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

async function deliveredByPeople(round: Round, answersFile: string): Promise<Delivered> {
  const { config, context, runDir, number } = round;
  const { pollMs, maxWaitHours } = config;
  const { signal, reporter } = context;
  const since = (await stat(answersFile)).mtimeMs;
  const isTimeUp = () => maxWaitHours > 0 && Date.now() - since >= maxWaitHours * HOUR_MS;
  const sets = await readAnswers(answersFile);
  const before = await readPool(config, rankingFiles(runDir, number - 1));
  const missing = rankingGoal({ config, sets, before, isTimeUp });
  const wait = (source: RankingSource) =>
    waitForRankings(source, missing, { pollMs, signal, reporter });
  return config.ranker === "feedback"
    ? byService(round, sets, wait)
    : byFiles(round, answersFile, wait);
}

const HOUR_MS = 3_600_000;

type Wait = (source: RankingSource) => Promise<Ranking[]>;

async function byFiles(
  { config, context, runDir, state, number }: Round,
  answers: string,
  wait: Wait,
): Promise<Delivered> {
  const { reporter } = context;
  const folder = config.inbox || join(runDir, "inbox");
  reporter.info(
    `round ${number}: rank the answers in ${answers}, then put the rankings in ${folder}`,
  );
  reporter.info(HOW_TO_RANK);
  const inbox = await openInbox(folder, { consumed: new Set(state.consumed), reporter });
  const rankings = lastWords(await wait(inbox));
  return { files: inbox.files(), rankings };
}

const HOW_TO_RANK =
  "a .jsonl file of one line a request, its prompt and answers as they are there, for example " +
  '{"prompt":[{"role":"user","content":"Hi"}],"answers":["Hello!","What?","Go."],"ranks":[1,2,2],' +
  '"rater":"ann"}; rank 1 is best, equal ranks are a tie';

async function byService(
  { config, context, state, number }: Round,
  sets: readonly Answers[],
  wait: Wait,
): Promise<Delivered> {
  const { signal, reporter } = context;
  const { feedbackAddress, pollMs } = config;
  reporter.info(
    `round ${number}: ${sets.length} requests wait for rankings at the feedback service at ${feedbackAddress}: ` +
      "ListComparisons hands them out, SubmitRanking takes comparison_id, ranks (1 is best) and rater",
  );
  const position = state.feedbackPosition ?? "";
  const options = { position, modelVersion: state.policy, pollMs, signal, reporter };
  await using service = await openFeedback(config, sets, options);
  const rankings = lastWords(await wait(service));
  return { files: [], rankings, position: service.position() };
}
