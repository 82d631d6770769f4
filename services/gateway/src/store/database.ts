import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { acquireDirectoryLock } from "@stagecraft/checkpoint";
import { StagecraftError } from "@stagecraft/core";
import { Kysely, PostgresDialect, sql, type PostgresPool, type Transaction } from "kysely";
import { databaseError } from "./database-error.js";
import { MIGRATIONS } from "./migrations.js";
import { openPglitePool } from "./pglite-pool.js";
import { openServerPool } from "./server-pool.js";
import type { Tables } from "./tables.js";

/** Typed queries; inside a transaction the same. */
export type Db = Kysely<Tables>;
export type Tx = Transaction<Tables>;

export interface Database extends AsyncDisposable {
  readonly db: Db;
  /** Runs work as one transaction; what it resolved for is on the disk. Work that met a deadlock runs again. */
  transact<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  /** `postgres://…`; without it PGlite keeps everything in `dir`. */
  url?: string;
  dir?: string;
  /** Connections to a server; default 10. */
  poolSize?: number;
  /** Plaintext to a server beyond loopback; default false. */
  allowPlaintext?: boolean;
  /** See PgliteOptions. */
  template?: Blob | undefined;
}

/**
 * Opens the database and brings its schema up to date. A folder is one process's: the second gets
 * `failed_precondition`, naming the first. With neither url nor dir it is in memory, for tests.
 */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const { poolSize: size = 10, allowPlaintext = false } = options;
  if (options.url) return withSchema(openServerPool(options.url, { size, allowPlaintext }));
  const { dir, template } = options;
  if (dir === undefined) return withSchema(await openPglitePool({ dir, template }));
  await mkdir(dir, { recursive: true });
  const lock = await acquireDirectoryLock(dir, { file: "feedback.lock", what: "feedback folder" });
  try {
    const database = await withSchema(
      await openPglitePool({ dir: join(dir, "database"), template }),
    );
    const close = () => database.close().finally(() => lock.release());
    return { ...database, close, [Symbol.asyncDispose]: close };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function withSchema(pool: PostgresPool): Promise<Database> {
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: mended(pool) }) });
  try {
    await migrate(db);
  } catch (error) {
    await db.destroy();
    throw error;
  }
  const close = () => db.destroy();
  return { db, transact: (work) => transact(db, work), close, [Symbol.asyncDispose]: close };
}

/** The pool with errors of ours. */
function mended(pool: PostgresPool): PostgresPool {
  const fail = (thrown: unknown): never => {
    throw databaseError(thrown);
  };
  return {
    end: () => pool.end(),
    async connect() {
      const client = await pool.connect().catch(fail);
      const query = (text: string, parameters: readonly unknown[]) =>
        client.query(text, parameters).catch(fail);
      return { query: query as typeof client.query, release: (destroy) => client.release(destroy) };
    },
  };
}

const MAX_ATTEMPTS = 5;

async function transact<T>(db: Db, work: (tx: Tx) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await db.transaction().execute(work);
    } catch (thrown) {
      const error = StagecraftError.from(thrown);
      if (error.code !== "aborted" || !error.details["again"] || attempt === MAX_ATTEMPTS)
        throw error;
    }
  }
}

/** Any number; the same for every gateway, so that one at a time changes the schema. */
const SCHEMA_LOCK = 7_261_901;

async function migrate(db: Db): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await sql`select pg_advisory_xact_lock(${sql.lit(SCHEMA_LOCK)})`.execute(tx);
    await sql`create table if not exists migrations (
      name text primary key, applied_at timestamptz not null default now())`.execute(tx);
    const { rows } = await sql<{ name: string }>`select name from migrations`.execute(tx);
    const applied = new Set(rows.map(({ name }) => name));
    refuseNewer(applied);
    for (const { name, sql: statements } of MIGRATIONS) {
      if (applied.has(name)) continue;
      for (const statement of statements) await sql.raw(statement).execute(tx);
      await sql`insert into migrations (name) values (${name})`.execute(tx);
    }
  });
}

function refuseNewer(applied: ReadonlySet<string>): void {
  const known = new Set(MIGRATIONS.map(({ name }) => name));
  const newer = [...applied].filter((name) => !known.has(name));
  if (newer.length === 0) return;
  throw new StagecraftError(
    "failed_precondition",
    `the database was made by a newer gateway (${newer.join(", ")}); start that one, or restore a backup`,
  );
}
