/**
 * Who ranks what: each comparison goes to so many people as the overlap says, never twice to one, and a
 * place that nobody used in time goes to somebody else. All of it happens under the lock of the feedback
 * counter, one change after another, so that the count of places is exact.
 */
import { randomUUID } from "node:crypto";
import { feedback } from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import { sql } from "kysely";
import { lockCounter } from "../store/counters.js";
import type { Tx } from "../store/database.js";
import type { AssignmentState } from "../store/tables.js";

export interface QueueRules {
  ratersPerComparison: number;
  leaseMinutes: number;
  goldShare: number;
  now: Date;
  /** From 0 to 1; decides about gold items and the order on the screen. */
  random(): number;
}

/** A comparison on loan to one person. */
export interface HeldAssignment {
  id: string;
  person: string;
  comparison: feedback.Comparison;
  /** For each place on the screen, the index of the answer in the comparison. */
  shown: number[];
  expiresAt: Date;
  state: AssignmentState;
}

const MINUTE_MS = 60_000;

/** The comparison that a person holds, or the next with a place free; undefined = nothing for this person. */
export async function nextAssignment(
  tx: Tx,
  person: string,
  rules: QueueRules,
): Promise<HeldAssignment | undefined> {
  await lockCounter(tx, "feedback");
  const held = await heldBy(tx, person);
  if (held && (await keepHold(tx, held, rules))) return assignmentById(tx, held.id);
  const comparison = await chooseComparison(tx, person, rules);
  if (comparison === undefined) return undefined;
  const id = randomUUID();
  const numAnswers = feedback.Comparison.fromJSON(comparison.body).answers.length;
  await tx
    .insertInto("assignments")
    .values({
      ...{ id, comparison_id: comparison.id, person_id: person, state: "held" },
      shown: JSON.stringify(shuffled(numAnswers, rules.random)),
      held_at: rules.now,
      expires_at: leaseEnd(rules),
    })
    .execute();
  return assignmentById(tx, id);
}

/** An assignment as its person sees it; undefined = there is none. */
export async function assignmentById(tx: Tx, id: string): Promise<HeldAssignment | undefined> {
  const row = await tx
    .selectFrom("assignments")
    .innerJoin("comparisons", "comparisons.id", "assignments.comparison_id")
    .select(["person_id", "shown", "expires_at", "state", "body"])
    .where("assignments.id", "=", id)
    .executeTakeFirst();
  if (!row) return undefined;
  const { person_id: person, shown, expires_at: expiresAt, state, body } = row;
  return { id, person, comparison: feedback.Comparison.fromJSON(body), shown, expiresAt, state };
}

/** Throws `failed_precondition` if the place of an assignment has gone to somebody else or its comparison is withdrawn. */
export async function checkPlace(tx: Tx, id: string, rules: QueueRules): Promise<void> {
  const row = await tx
    .selectFrom("assignments")
    .innerJoin("comparisons", "comparisons.id", "assignments.comparison_id")
    .select(["comparison_id", "expires_at", "withdrawn_at", "gold"])
    .where("assignments.id", "=", id)
    .executeTakeFirstOrThrow();
  if (row.withdrawn_at !== null) throw gone("its round has ended");
  if (row.gold !== null || row.expires_at > rules.now) return;
  if (
    (await placesTaken(tx, row.comparison_id, { except: id, now: rules.now })) <
    rules.ratersPerComparison
  )
    return;
  throw gone("its time ran out and somebody else has it");
}

function gone(why: string): StagecraftError {
  return new StagecraftError("failed_precondition", `this one is not needed any more: ${why}`, {
    details: { advice: "go on to the next one" },
  });
}

async function heldBy(tx: Tx, person: string) {
  return tx
    .selectFrom("assignments")
    .select(["id"])
    .where("person_id", "=", person)
    .where("state", "=", "held")
    .executeTakeFirst();
}

/** Renews the lease where the place is still free; otherwise the person is as one who never had it. */
async function keepHold(tx: Tx, { id }: { id: string }, rules: QueueRules): Promise<boolean> {
  try {
    await checkPlace(tx, id, rules);
  } catch (thrown) {
    if (StagecraftError.from(thrown).code !== "failed_precondition") throw thrown;
    await tx.deleteFrom("assignments").where("id", "=", id).execute();
    return false;
  }
  const lease = { expires_at: leaseEnd(rules) };
  await tx.updateTable("assignments").set(lease).where("id", "=", id).execute();
  return true;
}

async function placesTaken(
  tx: Tx,
  comparisonId: string,
  { except, now }: { except: string; now: Date },
): Promise<number> {
  const { ranked } = await tx
    .selectFrom("comparisons")
    .select("ranked")
    .where("id", "=", comparisonId)
    .executeTakeFirstOrThrow();
  const { held } = await tx
    .selectFrom("assignments")
    .select((eb) => eb.fn.countAll<number>().as("held"))
    .where("comparison_id", "=", comparisonId)
    .where("state", "=", "held")
    .where("expires_at", ">", now)
    .where("id", "<>", except)
    .executeTakeFirstOrThrow();
  return ranked + held;
}

async function chooseComparison(tx: Tx, person: string, rules: QueueRules) {
  const gold = rules.random() < rules.goldShare ? await findGold(tx, person) : undefined;
  return gold ?? (await findOpen(tx, person, rules)) ?? undefined;
}

/**
 * Comparisons that a person has had nothing to do with. `not in` is answered by a hash of what the person
 * has; `not exists` would, without statistics, go through all of it for every comparison.
 */
function newTo(tx: Tx, person: string) {
  return tx
    .selectFrom("comparisons as c")
    .select(["c.id", "c.body"])
    .where("c.withdrawn_at", "is", null)
    .where(
      sql<boolean>`c.id not in (select comparison_id from assignments where person_id = ${person})`,
    )
    .where(
      sql<boolean>`c.id not in (select comparison_id from feedback where rater = ${person} and kind = 'ranking')`,
    );
}

function findGold(tx: Tx, person: string) {
  const query = newTo(tx, person).where("c.gold", "is not", null);
  return query.orderBy("c.position").executeTakeFirst();
}

function findOpen(tx: Tx, person: string, { ratersPerComparison, now }: QueueRules) {
  const held = sql<number>`(select count(*) from assignments h
    where h.comparison_id = c.id and h.state = 'held' and h.expires_at > ${now})`;
  return newTo(tx, person)
    .where("c.gold", "is", null)
    .where("c.ranked", "<", ratersPerComparison)
    .where(sql<boolean>`c.ranked + ${held} < ${ratersPerComparison}`)
    .orderBy("c.position")
    .limit(1)
    .executeTakeFirst();
}

function leaseEnd({ now, leaseMinutes }: QueueRules): Date {
  return new Date(now.getTime() + leaseMinutes * MINUTE_MS);
}

/** 0 to n − 1 in a random order (Fisher and Yates). */
function shuffled(n: number, random: () => number): number[] {
  const order = Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}
