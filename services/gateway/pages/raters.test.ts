import { createRandom, type Random } from "@stagecraft/core";
import {
  pgliteTemplate,
  postgresBin,
  signInByLink,
  startPostgres,
  tempDir,
  type PagesClient,
} from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { addPerson, newSignInToken } from "../src/auth/people.js";
import type { NextAssignment, SubmitRanking } from "../src/http/api/index.js";
import { createHttpServer } from "../src/http/server.js";
import type { Database } from "../src/store/database.js";
import { openStore } from "../src/store/open-store.js";
import { putUp, uuid } from "../test/http-kit.js";
import { tell, trialNumber } from "./trial-options.js";

const NUM_COMPARISONS = trialNumber("STAGECRAFT_COMPARISONS", 200);
const SEED = trialNumber("STAGECRAFT_SEED", 17);
const RATERS = ["Ada", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gus", "Hana"];
/** They go away in the middle, each with a comparison in hand. */
const LEAVERS = ["Gus", "Hana"];
const OVERLAP = 3;
const LEASE_MS = 30 * 60_000;

const bin = await postgresBin();

describe("eight raters at once, overlap 3, through HTTP", () => {
  it("on PGlite in a folder: each comparison gets exactly three people, nobody one twice", async () => {
    await using dir = await tempDir();
    await using database = await openStore({ dir: dir.path, template: await pgliteTemplate() });
    await trial("PGlite", database);
  });

  it.skipIf(!bin)("on PostgreSQL: the same", async () => {
    await using postgres = await startPostgres(bin!);
    await using database = await openStore({ url: postgres.url });
    await trial("PostgreSQL", database);
  });
});

async function trial(name: string, database: Database): Promise<void> {
  await putUp(database, NUM_COMPARISONS);
  const clock = { ms: Date.parse("2026-01-01T00:00:00Z") };
  const random = createRandom(`raters/${SEED}`);
  await using server = await createHttpServer({
    database,
    defaults: { ratersPerComparison: OVERLAP, goldShare: 0, leaseMinutes: LEASE_MS / 60_000 },
    pagesDir: import.meta.dirname,
    now: () => new Date(clock.ms),
    random: () => random.nextFloat(),
  });
  const { origin } = await server.start();
  const raters = await Promise.all(
    RATERS.map(async (rater) => ({
      ...{ rater, random: random.fork(rater), ranked: [] as string[] },
      client: await signIn(database, { origin, rater, now: new Date(clock.ms) }),
    })),
  );
  const leavers = raters.filter(({ rater }) => LEAVERS.includes(rater));
  const stayers = raters.filter(({ rater }) => !LEAVERS.includes(rater));

  const startMs = performance.now();
  const before = Math.ceil(NUM_COMPARISONS / 10);
  const [left] = await Promise.all([
    Promise.all(leavers.map((each) => rankUntil(each, before))),
    ...stayers.map((each) => rankUntil(each, Infinity)),
  ]);
  // Whoever left holds a place in each of these, and nobody else may have it yet.
  const taken = left.map((next) => questionOf(next));
  expect(await numIncomplete(database)).toBe(new Set(taken).size);
  clock.ms += LEASE_MS + 1000;
  await Promise.all(stayers.map((each) => rankUntil(each, Infinity)));
  expect(await numIncomplete(database)).toBe(0);
  for (const [i, { client }] of leavers.entries()) {
    const late = await submit(client, left[i]!, [1, 2, 3, 4]);
    expect(late.map(({ status }) => status)).toEqual([409, 409]);
  }

  await expectExactly(database, new Map(raters.map((each) => [each.client.personId, each.ranked])));
  const seconds = (performance.now() - startMs) / 1000;
  tell(`raters on ${name}`, {
    comparisons: NUM_COMPARISONS,
    raters: RATERS.length,
    overlap: OVERLAP,
    "submissions, each sent twice": NUM_COMPARISONS * OVERLAP,
    "rankings a minute": Math.round((NUM_COMPARISONS * OVERLAP * 60) / seconds),
    seed: SEED,
  });
}

async function signIn(
  database: Database,
  { origin, rater, now }: { origin: string; rater: string; now: Date },
): Promise<PagesClient> {
  const { token } = await database.transact(async (tx) =>
    newSignInToken(tx, await addPerson(tx, rater, ["rater"]), now),
  );
  return signInByLink(`${origin}/sign-in#${token}`);
}

interface Rater {
  client: PagesClient;
  random: Random;
  /** Questions that this person was given and has ranked. */
  ranked: string[];
}

/** Ranks what comes until there is nothing, or so many are done; returns what is in hand then. */
async function rankUntil(
  { client, random, ranked }: Rater,
  number: number,
): Promise<NextAssignment> {
  for (;;) {
    // Two windows of the same person ask at once: they get the same one.
    const ask = () => client.ok<NextAssignment>("POST", "/api/rank/next");
    const [next, other] = await Promise.all([ask(), ask()]);
    expect(other.assignment?.assignmentId).toBe(next.assignment?.assignmentId);
    if (!next.assignment || ranked.length >= number) return next;
    const ranks = next.assignment.answers.map((_, i, { length }) => 1 + random.nextInt(length));
    const answers = await submit(client, next, ranks);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    ranked.push(questionOf(next));
  }
}

/** A double click: the same submission twice, at the same time. */
function submit(client: PagesClient, { assignment }: NextAssignment, ranks: number[]) {
  const body: SubmitRanking = { submissionId: uuid(), ranks, criteria: {}, elapsedMs: 1000 };
  const url = `/api/rank/assignments/${assignment!.assignmentId}/submit`;
  return Promise.all([client.call("POST", url, body), client.call("POST", url, body)]);
}

const questionOf = ({ assignment }: NextAssignment) => assignment!.request[0]!.content;

async function numIncomplete({ db }: Database): Promise<number> {
  const rows = await db.selectFrom("comparisons").select("ranked").execute();
  return rows.filter(({ ranked }) => ranked !== OVERLAP).length;
}

/** The database holds what people were told is stored: three people a comparison, each ranking once. */
async function expectExactly(
  { db }: Database,
  ranked: ReadonlyMap<string, readonly string[]>,
): Promise<void> {
  const rows = await db.selectFrom("feedback").selectAll().orderBy("position").execute();
  expect(rows.map(({ position }) => position)).toEqual(rows.map((_, i) => i + 1));
  expect(rows).toHaveLength(NUM_COMPARISONS * OVERLAP);
  expect(rows.filter(({ revised }) => revised)).toEqual([]);
  const people = new Map<string, Set<string>>();
  for (const { comparison_id: id, rater } of rows) {
    people.set(id, (people.get(id) ?? new Set()).add(rater));
  }
  expect(people.size).toBe(NUM_COMPARISONS);
  expect([...people.values()].filter(({ size }) => size !== OVERLAP)).toEqual([]);
  for (const [person, questions] of ranked) {
    const own = rows.filter(({ rater }) => rater === person);
    const stored = own.map(({ comparison_id: id }) => `question ${id}`);
    expect(stored).toEqual(questions);
  }
}
