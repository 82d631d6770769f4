import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { chown, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { userInfo } from "node:os";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import { freePort } from "@stagecraft/testing";
import { sql } from "kysely";
import type { Database, Db } from "../src/store/database.js";
import { openStore } from "../src/store/open-store.js";

/** An empty database of PGlite, made once: making one takes seconds, unpacking it half of one. */
export async function pgliteTemplate(): Promise<Blob> {
  const folder = dirname(createRequire(import.meta.url).resolve("@electric-sql/pglite"));
  const { version } = JSON.parse(await readFile(join(folder, "..", "package.json"), "utf8")) as {
    version: string;
  };
  const cache = new URL("../../../node_modules/.cache/stagecraft/", import.meta.url).pathname;
  const file = join(cache, `pglite-${version}.tar`);
  if (!existsSync(file)) await makeTemplate(file);
  return new Blob([new Uint8Array(await readFile(file))]);
}

async function makeTemplate(file: string): Promise<void> {
  const database = await PGlite.create();
  const dump = await database.dumpDataDir("none");
  await database.close();
  await mkdir(dirname(file), { recursive: true });
  const draft = `${file}.${process.pid}`;
  await writeFile(draft, new Uint8Array(await dump.arrayBuffer()));
  await rename(draft, file); // whole or not at all: other tests look for it
}

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

const DEBIAN = "/usr/lib/postgresql";

/** Folder of PostgreSQL's programs, as Debian installs it; undefined = none is here. */
export async function postgresBin(): Promise<string | undefined> {
  const versions = await readdir(DEBIAN).catch(() => []);
  const newest = versions.map(Number).sort((a, b) => b - a)[0];
  return newest === undefined ? undefined : join(DEBIAN, String(newest), "bin");
}

export interface PostgresServer extends AsyncDisposable {
  url: string;
  /** Ends it without warning, as `kill -9` does. */
  kill(): Promise<void>;
  /** Starts it again on the same folder. */
  start(): Promise<void>;
}

/** A server of PostgreSQL on loopback, in a folder of its own; as user postgres where this is root. */
export async function startPostgres(bin: string): Promise<PostgresServer> {
  const user = userInfo().uid === 0 ? postgresUser() : {};
  const dir = await mkdtemp(join(tmpdir(), "stagecraft-postgres-"));
  if (user.uid !== undefined) await chown(dir, user.uid, user.gid!);
  const data = join(dir, "data");
  const options = { ...user, cwd: dir, encoding: "utf8" as const };
  const flags = ["-D", data, "-U", "stagecraft", "-A", "trust", "-E", "UTF8", "--no-sync"];
  const made = spawnSync(join(bin, "initdb"), flags, options);
  if (made.status !== 0) throw new Error(`initdb: ${made.stderr}`);
  const port = await freePort();
  let server: ReturnType<typeof spawn> | undefined;
  const url = `postgres://stagecraft@127.0.0.1:${port}/postgres`;
  const start = async () => {
    const args = ["-D", data, "-p", String(port), "-h", "127.0.0.1", "-k", dir];
    server = spawn(join(bin, "postgres"), args, { ...user, cwd: dir, stdio: "ignore" });
    while (spawnSync(join(bin, "pg_isready"), ["-h", "127.0.0.1", "-p", String(port)]).status !== 0)
      if (server.exitCode !== null) throw new Error(`postgres ended with ${server.exitCode}`);
  };
  const kill = async (signal: NodeJS.Signals = "SIGKILL") => {
    if (!server || server.exitCode !== null || server.signalCode !== null) return;
    const ended = new Promise((resolve) => server!.once("exit", resolve));
    server.kill(signal);
    await ended;
  };
  await start();
  return {
    ...{ url, start, kill: () => kill() },
    async [Symbol.asyncDispose]() {
      await kill("SIGINT");
      await rm(dir, { recursive: true, force: true });
    },
  };
}

function postgresUser(): { uid?: number; gid?: number } {
  const id = (flag: string) =>
    Number(spawnSync("id", [flag, "postgres"], { encoding: "utf8" }).stdout);
  return { uid: id("-u"), gid: id("-g") };
}
