import type { feedback } from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import type {
  Assignment,
  Criterion,
  NextAssignment,
  RankingGiven,
  SkipAssignment,
  SubmitRanking,
} from "../http/api/index.js";
import type { Db, Tx } from "../store/database.js";
import { lockCounter } from "../store/counters.js";
import { insertFeedback } from "../store/feedback-rows.js";
import { readCriteria, readSettings } from "../store/settings.js";
import type { HttpContext } from "../http/context.js";
import { assignmentById, checkPlace, nextAssignment, type HeldAssignment } from "./queue.js";
import { rankProgress } from "./rank-progress.js";
import { toTurns } from "./turns.js";

/** What a person does on the Rank page. Ranks arrive in the order shown and are stored in that of the comparison. */

/** The assignment in hand, or the next. */
export async function next(context: HttpContext, person: string): Promise<NextAssignment> {
  const { database } = context;
  const rules = await rulesOf(context, database.db);
  const held = await database.transact((tx) => nextAssignment(tx, person, rules));
  return shownTo(context, person, held);
}

/** Stores ranks; a repeat is answered as the first time. */
export async function submit(
  context: HttpContext,
  person: string,
  { assignmentId, ...given }: SubmitRanking & { assignmentId: string },
) {
  const { database } = context;
  const rules = await rulesOf(context, database.db);
  const criteria = await askedCriteria(database.db);
  await database.transact(async (tx) => {
    await lockCounter(tx, "feedback");
    const assignment = await assignmentOf(tx, assignmentId, person);
    checkRanks(given, assignment, criteria);
    const isRepeat = await isStored(tx, given.submissionId);
    if (assignment.state === "skipped" && !isRepeat) throw skippedAlready();
    if (assignment.state === "held" && !isRepeat) await checkPlace(tx, assignmentId, rules);
    await insertFeedback(tx, feedbackOf(assignment, person, given, rules.now));
    const { elapsedMs: elapsed_ms } = given;
    if (isRepeat) return;
    await tx
      .updateTable("assignments")
      .set({ elapsed_ms })
      .where("id", "=", assignmentId)
      .execute();
  });
  const { ranks, criteria: byCriterion } = given;
  return {
    rankingId: given.submissionId,
    stored: { ranks, criteria: byCriterion },
    progress: await rankProgress(context, person),
  };
}

/** Gives an assignment back; this person does not get it again. */
export async function skip(
  context: HttpContext,
  person: string,
  { assignmentId, reason, comment }: SkipAssignment & { assignmentId: string },
) {
  const { database, now } = context;
  await database.transact(async (tx) => {
    const { state } = await assignmentOf(tx, assignmentId, person);
    if (state !== "held") return;
    const why = { skip_reason: reason, skip_comment: comment };
    const change = { state: "skipped", ended_at: now(), ...why } as const;
    await tx.updateTable("assignments").set(change).where("id", "=", assignmentId).execute();
  });
  return { progress: await rankProgress(context, person) };
}

/** Takes the last submission or skip back into hand. */
export async function undo(context: HttpContext, person: string): Promise<NextAssignment> {
  const { database } = context;
  const rules = await rulesOf(context, database.db);
  const last = await database.transact(async (tx) => {
    await lockCounter(tx, "feedback");
    const row = await tx
      .selectFrom("assignments")
      .select(["id", "state"])
      .where("person_id", "=", person)
      .where("state", "in", ["ranked", "skipped"])
      .orderBy("ended_at", "desc")
      .executeTakeFirst();
    if (!row) throw new StagecraftError("not_found", "there is nothing to take back");
    if (row.state === "skipped") await holdAgain(tx, row.id, person, rules);
    return assignmentById(tx, row.id);
  });
  return shownTo(context, person, last);
}

async function holdAgain(tx: Tx, id: string, person: string, rules: Rules): Promise<void> {
  await tx
    .deleteFrom("assignments")
    .where("person_id", "=", person)
    .where("state", "=", "held")
    .execute();
  await checkPlace(tx, id, rules);
  const expires_at = new Date(rules.now.getTime() + rules.leaseMinutes * 60_000);
  const change = { state: "held", expires_at, ended_at: null } as const;
  await tx.updateTable("assignments").set(change).where("id", "=", id).execute();
}

/** The assignment, if it is this person's. */
export async function assignmentOf(tx: Tx, id: string, person: string): Promise<HeldAssignment> {
  const assignment = await assignmentById(tx, id);
  if (assignment?.person === person) return assignment;
  throw new StagecraftError("not_found", "this one is not yours any more", {
    details: { advice: "go on to the next one" },
  });
}

type Rules = Awaited<ReturnType<typeof rulesOf>>;

async function rulesOf({ defaults, now, random }: HttpContext, db: Db) {
  return { ...(await readSettings(db, defaults)), now: now(), random };
}

async function askedCriteria(db: Db): Promise<Criterion[]> {
  const { criteria } = await readCriteria(db);
  return criteria.flatMap(({ ask, ...rest }) => (ask === "off" ? [] : [{ ...rest, ask }]));
}

async function isStored(tx: Tx, feedbackId: string): Promise<boolean> {
  const query = tx.selectFrom("feedback").select("id").where("id", "=", feedbackId);
  return (await query.executeTakeFirst()) !== undefined;
}

async function shownTo(
  context: HttpContext,
  person: string,
  held: HeldAssignment | undefined,
): Promise<NextAssignment> {
  const progress = await rankProgress(context, person);
  if (!held) return { assignment: null, reason: NOTHING, progress };
  const { id: assignmentId, comparison, shown, expiresAt } = held;
  const assignment: Assignment = {
    assignmentId,
    request: toTurns(comparison.prompt),
    answers: shown.map((i) => comparison.answers[i]!),
    criteria: await askedCriteria(context.database.db),
    leaseExpiresAt: expiresAt.toISOString(),
    previous: await previousRanks(context.database.db, person, held),
  };
  return { assignment, reason: "", progress };
}

const NOTHING = "There is nothing for you to rank now. More comes with the next round.";

async function previousRanks(
  db: Db,
  person: string,
  { comparison, shown, state }: HeldAssignment,
): Promise<RankingGiven | null> {
  if (state !== "ranked") return null;
  const row = await db
    .selectFrom("feedback")
    .select("body")
    .where("comparison_id", "=", comparison.comparisonId)
    .where("rater", "=", person)
    .where("kind", "=", "ranking")
    .orderBy("position", "desc")
    .executeTakeFirst();
  const ranking = (row?.body as { ranking?: feedback.Ranking } | undefined)?.ranking;
  if (!ranking) return null;
  const inOrder = (ranks: readonly number[]) => shown.map((i) => ranks[i]!);
  const criteria = (ranking.criteria ?? []).map((c) => [c.criterion, inOrder(c.ranks)]);
  return { ranks: inOrder(ranking.ranks), criteria: Object.fromEntries(criteria) as never };
}

function feedbackOf(
  { comparison, shown }: HeldAssignment,
  rater: string,
  given: SubmitRanking,
  createdAt: Date,
): feedback.Feedback {
  const inOrder = (ranks: readonly number[]) => {
    const stored = Array.from<number>({ length: ranks.length });
    shown.forEach((answer, place) => (stored[answer] = ranks[place]!));
    return stored;
  };
  const { comparisonId, prompt, answers, kind, modelVersion } = comparison;
  const criteria = Object.entries(given.criteria).map(([criterion, ranks]) => {
    return { criterion, ranks: inOrder(ranks) };
  });
  const value = { prompt, answers, ranks: inOrder(given.ranks), criteria };
  return {
    ...{ feedbackId: given.submissionId, createdAt, comparisonId },
    origin: { rater, kind, modelVersion },
    body: { $case: "ranking", value },
  };
}

function checkRanks(
  { ranks, criteria }: RankingGiven,
  { shown }: HeldAssignment,
  asked: readonly Criterion[],
): void {
  check(ranks, "ranks", shown.length);
  for (const [id, values] of Object.entries(criteria)) {
    const field = `criteria.${id}`;
    if (!asked.some((criterion) => criterion.id === id))
      throw wrong(field, `${id} is not asked for`, "load the page again");
    check(values, field, shown.length);
  }
  const missing = asked.find(({ id, ask }) => ask === "required" && !criteria[id]);
  if (missing)
    throw wrong(`criteria.${missing.id}`, `${missing.name} is not ranked yet`, "rank by it");
}

function check(ranks: readonly number[], field: string, numAnswers: number): void {
  if (ranks.length !== numAnswers) {
    throw wrong(
      field,
      `there are ${numAnswers} answers and ${ranks.length} ranks`,
      "rank them all",
    );
  }
  const bad = ranks.findIndex((rank) => rank < 1 || rank > numAnswers);
  if (bad !== -1) throw wrong(`${field}[${bad}]`, `a rank is from 1 to ${numAnswers}`, "change it");
}

function wrong(field: string, reason: string, advice: string): StagecraftError {
  return new StagecraftError("invalid_argument", reason, { details: { field, advice } });
}

function skippedAlready(): StagecraftError {
  return new StagecraftError("failed_precondition", "you have skipped this one", {
    details: { advice: "take the skip back first" },
  });
}
