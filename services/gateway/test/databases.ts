import { pgliteTemplate } from "@stagecraft/testing";
import { sql } from "kysely";
import type { Database, Db } from "../src/store/database.js";
import { openStore } from "../src/store/open-store.js";

/** A database of PGlite in memory. */
export const openTestDatabase = async (): Promise<Database> =>
  openStore({ template: await pgliteTemplate() });

/** As if new: what the migrations made, and nothing in it. */
export async function emptyDatabase(db: Db): Promise<void> {
  const { rows } = await sql<{ name: string }>`select tablename as name from pg_tables
    where schemaname = 'public' and tablename not in ('migrations', 'counters')`.execute(db);
  await sql`truncate ${sql.join(rows.map(({ name }) => sql.table(name)))}`.execute(db);
  await db.updateTable("counters").set({ value: 0 }).execute();
}
