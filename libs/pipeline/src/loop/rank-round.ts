import { existsSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { atomicWriteFile } from "@stagecraft/checkpoint";
import { lastWords, readRankings, writeRankings, type Ranking } from "@stagecraft/data";
import { readAnswers, type Answers } from "../ranking/answers.js";
import { rankByCommand } from "./command-ranker.js";
import { connectFeedback, type FeedbackConnection } from "./feedback-client.js";
import { openFeedback, withdraw } from "./feedback-source.js";
import { openInbox } from "./inbox.js";
import { readPool } from "./pool.js";
import { rankingGoal } from "./ranking-goal.js";
import { type Round } from "./round.js";
import { rankingFiles } from "./round-dir.js";
import { waitForRankings, type RankingSource } from "./wait-for-rankings.js";

/** What the ranking step of a round took, and from where. */
export interface Ranked {
  /** Inbox files that were taken. */
  files: string[];
  /** Up to where the feedback service was read, if it was. */
  position?: string;
  numRankings: number;
}

type Delivered = Omit<Ranked, "numRankings"> & { rankings: Ranking[] };

/**
 * Has the answers ranked; the rankings are in the round's rankings.jsonl when it returns, and nobody is
 * asked about the round any more.
 */
export async function rank(round: Round, answersFile: string): Promise<Ranked> {
  if (round.config.ranker !== "feedback" || round.ranker) {
    return once(round, () => deliver(round, answersFile));
  }
  await using service = await connectFeedback(round.config, round.context);
  const ranked = await once(round, () => byService(round, answersFile, service));
  // Also when the step was done already: the last attempt may have ended before this.
  await withdraw(service, { batch: batchOf(round), reporter: round.context.reporter });
  return ranked;
}

async function once(round: Round, work: () => Promise<Delivered>): Promise<Ranked> {
  const done = join(round.dir, "ranked.json");
  if (existsSync(done)) return JSON.parse(await readFile(done, "utf8")) as Ranked;
  const { rankings, ...source } = await work();
  await writeRankings(join(round.dir, "rankings.jsonl"), rankings);
  const ranked: Ranked = { ...source, numRankings: rankings.length };
  await atomicWriteFile(done, JSON.stringify(ranked)); // from here on the step counts as done
  return ranked;
}

async function deliver(round: Round, answersFile: string): Promise<Delivered> {
  const { ranker, number, config, context } = round;
  const sets = await readAnswers(answersFile);
  if (ranker) return { files: [], rankings: sets.flatMap((set) => ranker(set, number) ?? []) };
  if (config.ranker !== "command") return byFiles(round, answersFile);
  context.reporter.info(`round ${number}: \`${config.rankCommand}\` ranks ${sets.length} prompts`);
  const comparable = sets.filter(({ answers }) => answers.length >= 2);
  const rankings = await rankByCommand(config.rankCommand, comparable, context.signal);
  return { files: [], rankings: lastWords(rankings) };
}

/** Waits until the source has what the round needs. */
async function waitFor(
  source: RankingSource,
  { config, context, runDir, number, reports }: Round,
  answersFile: string,
): Promise<Ranking[]> {
  const { pollMs, maxWaitHours } = config;
  const { signal, reporter } = context;
  const since = (await stat(answersFile)).mtimeMs;
  const isTimeUp = () => maxWaitHours > 0 && Date.now() - since >= maxWaitHours * HOUR_MS;
  const sets = await readAnswers(answersFile);
  const before = await readPool(config, rankingFiles(runDir, number - 1));
  const missing = rankingGoal({ config, sets, before, isTimeUp });
  return lastWords(
    await waitForRankings(source, missing, { pollMs, signal, reporter, onWait: reports.waits }),
  );
}

const HOUR_MS = 3_600_000;

async function byFiles(round: Round, answersFile: string): Promise<Delivered> {
  const { config, context, runDir, state, number } = round;
  const { reporter } = context;
  const folder = config.inbox || join(runDir, "inbox");
  reporter.info(
    `round ${number}: rank the answers in ${answersFile}, then put the rankings in ${folder}`,
  );
  const file = join(folder, `round-${number}.jsonl`);
  reporter.info(`in another terminal: npx stagecraft rank ${answersFile} --out ${file}`);
  reporter.info(HOW_TO_RANK);
  const inbox = await openInbox(folder, {
    records: readRankings,
    consumed: new Set(state.consumed),
    reporter,
  });
  const rankings = await waitFor(inbox, round, answersFile);
  return { files: inbox.files(), rankings };
}

const HOW_TO_RANK =
  "or by a program: a .jsonl file of one line a prompt, with its answers as they are there, for example " +
  '{"prompt":[{"role":"user","content":"Hi"}],"answers":["Hello!","What?","Go."],"ranks":[1,2,2],' +
  '"rater":"ann"}; rank 1 is best, equal ranks are a tie';

async function byService(
  round: Round,
  answersFile: string,
  service: FeedbackConnection,
): Promise<Delivered> {
  const { config, context, state, number } = round;
  const { reporter } = context;
  const sets: Answers[] = await readAnswers(answersFile);
  reporter.info(
    `round ${number}: ${sets.length} prompts wait for rankings at the feedback service at ${config.feedbackAddress}: ` +
      "on its page Rank, or ListComparisons hands them out and SubmitRanking takes comparison_id, ranks (1 is best) and rater",
  );
  const source = await openFeedback(service, sets, {
    position: state.feedbackPosition ?? "",
    modelVersion: state.policy,
    batch: batchOf(round),
    reporter,
  });
  const rankings = await waitFor(source, round, answersFile);
  return { files: [], rankings, position: source.position() };
}

/** Of one round of one loop: at most 128 characters. */
function batchOf({ runDir, number }: Round): string {
  return `${runDir} round ${number}`.slice(-128);
}
