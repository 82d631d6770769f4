import { postgresBin, startPostgres } from "@stagecraft/testing";
import { sql } from "kysely";
import { describe, expect, it } from "vitest";
import { openStore } from "../src/store/open-store.js";

const bin = await postgresBin();

describe.skipIf(!bin)("a server of PostgreSQL that dies in the middle of a query", () => {
  it("fails that query, not the gateway; the next one succeeds when it is back", async () => {
    await using postgres = await startPostgres(bin!);
    await using database = await openStore({ url: postgres.url });
    const work = database.transact(async (tx) => {
      const asleep = sql`select pg_sleep(600)`.execute(tx);
      const failed = expect(asleep).rejects.toMatchObject({ code: "unavailable" });
      await postgres.kill();
      await failed;
      await sql`select 1`.execute(tx);
    });
    // An error that nobody listens to would end the process, here the test run.
    await expect(work).rejects.toMatchObject({ code: "unavailable" });
    await postgres.start();
    const { rows } = await sql<{ one: number }>`select 1 as one`.execute(database.db);
    expect(rows).toEqual([{ one: 1 }]);
  });
});
