import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { NextAssignment } from "../src/http/api/index.js";
import type { Database } from "../src/store/database.js";
import { createFeedbackStore } from "../src/store/feedback-store.js";
import { openTestDatabase } from "./databases.js";
import { putUp, testServer, uuid } from "./http-kit.js";

const [NUM_COMPARISONS, NUM_RANKED] = [200, 60];

let database: Database;
beforeAll(async () => void (database = await openTestDatabase()));
afterAll(() => database.close());

/** Rows that the database has looked at since it was started. */
async function rowsRead(): Promise<number> {
  await sql`select pg_stat_force_next_flush()`.execute(database.db);
  const { rows } = await sql<{ read: number }>`
    select sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::int as read
    from pg_stat_user_tables`.execute(database.db);
  return rows[0]!.read;
}

describe("the work of one request, with many comparisons and many rankings of one person", () => {
  it("does not grow with the product of the two", async () => {
    await putUp(database, NUM_COMPARISONS);
    const { signIn } = await testServer(database);
    const { call } = await signIn("Ann", "rater");
    const next = () => call<NextAssignment>("POST", "/api/rank/next");
    const submit = ({ body: { assignment } }: Awaited<ReturnType<typeof next>>) => {
      const ranking = { submissionId: uuid(), ranks: [1, 2, 3, 4], criteria: {}, elapsedMs: 1 };
      return call("POST", `/api/rank/assignments/${assignment!.assignmentId}/submit`, ranking);
    };
    for (let i = 0; i < NUM_RANKED; i++) await submit(await next());
    const store = createFeedbackStore(database);
    const page = { pageSize: 1000, pageToken: "" };
    const requests = {
      next,
      submit: async () => submit(await next()),
      listComparisons: () =>
        store.listComparisons({ ...page, ratersPerComparison: 3, rater: "Ann" }),
      listFeedback: () => store.listFeedback({ ...page, includeRevised: false }),
    };
    for (const [name, request] of Object.entries(requests)) {
      const before = await rowsRead();
      await request();
      const read = (await rowsRead()) - before;
      expect(read, name).toBeGreaterThan(0);
      expect(read, name).toBeLessThan(10 * NUM_COMPARISONS); // the product would be 12,000
    }
  });
});
