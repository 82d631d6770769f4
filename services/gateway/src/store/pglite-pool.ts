/**
 * PostgreSQL inside this process: PGlite on a folder, made durable.
 *
 * PGlite starts its PostgreSQL with fsync off, because its file system for Node cannot flush. Here it can:
 * PostgreSQL runs with fsync on, and each flush it asks for is a flush of the file or folder behind it. So
 * what is committed is on the disk, through a kill at any moment and a loss of power alike.
 */
import { closeSync, existsSync, fsyncSync, openSync } from "node:fs";
import { join } from "node:path";
import { NodeFS } from "@electric-sql/pglite/nodefs";
import { PGlite, types } from "@electric-sql/pglite";
import { createSerialQueue } from "@stagecraft/core";
import type { PostgresPool, PostgresPoolClient } from "kysely";

type EmscriptenOptions = Parameters<NodeFS["init"]>[1];

/** Of what emscripten's file systems are made: the little that is used of it here. */
interface Stream {
  nfd?: number;
  node: unknown;
}
interface WithNodeFs {
  NODEFS: { stream_ops: { fsync?(stream: Stream): number }; realPath(node: unknown): string };
}

class DurableNodeFs extends NodeFS {
  override async init(pg: PGlite, options: EmscriptenOptions) {
    const { emscriptenOpts } = await super.init(pg, options);
    const preRun = [...asList(emscriptenOpts.preRun), flushFiles as never];
    return { emscriptenOpts: { ...emscriptenOpts, preRun } };
  }
}

const asList = <T>(value: T | T[] | undefined): T[] =>
  value === undefined ? [] : Array.isArray(value) ? value : [value];

function flushFiles({ NODEFS }: WithNodeFs): void {
  NODEFS.stream_ops.fsync = ({ nfd, node }) => {
    if (nfd !== undefined) fsyncSync(nfd);
    else flushFolder(NODEFS.realPath(node));
    return 0;
  };
}

function flushFolder(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

const SETTINGS = ["wal_sync_method=fsync", "shared_buffers=16MB", "fsync=on"];

export interface PgliteOptions {
  /** Where everything is; undefined = in memory, for tests. */
  dir: string | undefined;
  /** An empty database as PGlite dumps it, so that a new one is there in a second; default: made anew. */
  template?: Blob | undefined;
}

/** Opens the folder's database, or one in memory, as a pool of one connection. */
export async function openPglitePool({ dir, template }: PgliteOptions): Promise<PostgresPool> {
  const isNew = dir === undefined || !existsSync(join(dir, "PG_VERSION"));
  const startParams = [
    ...PGlite.defaultStartParams.filter((param) => param !== "-F"),
    ...SETTINGS.flatMap((setting) => ["-c", setting]),
  ];
  const database = await PGlite.create({
    ...(dir !== undefined && { fs: new DurableNodeFs(dir) }),
    ...(isNew && template && { loadDataDir: template }),
    startParams,
    parsers: { [types.INT8]: Number },
  });
  const turns = createSerialQueue();
  return {
    connect: () =>
      new Promise((resolve) => {
        void turns.run(() => new Promise<void>((release) => resolve(clientOf(database, release))));
      }),
    end: () => turns.run(() => database.close()),
  };
}

function clientOf(database: PGlite, release: () => void): PostgresPoolClient {
  const query = async (sql: string, parameters: readonly unknown[]) => {
    const { rows, affectedRows } = await database.query(sql, [...parameters]);
    const command = sql.trimStart().split(/\s/, 1)[0]!.toUpperCase();
    return { command, rowCount: affectedRows ?? rows.length, rows };
  };
  return {
    query: query as unknown as PostgresPoolClient["query"],
    release,
  } satisfies PostgresPoolClient;
}
