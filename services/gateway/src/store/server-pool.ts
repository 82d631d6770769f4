import { StagecraftError } from "@stagecraft/core";
import { isLoopbackHost } from "@stagecraft/rpc";
import type { PostgresPool } from "kysely";
import pg from "pg";

const CONNECT_TIMEOUT_MS = 10_000;

/** Of `sslmode`: the driver checks the certificate. */
const VERIFYING = ["require", "verify-ca", "verify-full"];

export interface ServerPoolOptions {
  /** Connections at most. */
  size: number;
  /** Also beyond loopback, where something else keeps others out. */
  allowPlaintext: boolean;
}

/** Connections to a PostgreSQL server. */
export function openServerPool(
  url: string,
  { size, allowPlaintext }: ServerPoolOptions,
): PostgresPool {
  checkUrl(url, allowPlaintext);
  const pool = new pg.Pool({
    connectionString: url,
    max: size,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    types: { getTypeParser },
  });
  // An idle connection that breaks is replaced by the next query; a query that breaks tells its caller.
  pool.on("error", () => undefined);
  // So does one in use; without a listener of its own its error would end the process.
  pool.on("connect", (client) => client.on("error", () => undefined));
  return pool;
}

/** Counts are numbers here, not texts. */
const getTypeParser = ((id: number, format?: "text") =>
  id === pg.types.builtins.INT8 ? Number : pg.types.getTypeParser(id, format)) as never;

function checkUrl(url: string, allowPlaintext: boolean): void {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (!parsed || !/^postgres(ql)?:$/.test(parsed.protocol)) {
    throw new StagecraftError(
      "invalid_argument",
      "databaseUrl is no URL of PostgreSQL; write postgres://USER:PASSWORD@HOST:PORT/DATABASE",
    );
  }
  const sslmode = parsed.searchParams.get("sslmode") ?? "disable";
  // Where it is said twice, the parameter is what the driver connects to.
  const host = parsed.searchParams.get("host") ?? decodeURIComponent(parsed.hostname);
  const isLocal = host === "" || host.startsWith("/") || isLoopbackHost(host);
  if (isLocal || allowPlaintext || VERIFYING.includes(sslmode)) return;
  throw new StagecraftError(
    "invalid_argument",
    sslmode === "no-verify"
      ? `databaseUrl asks ${host} for no proof of who it is; write sslmode=verify-full (and &sslrootcert=FILE)`
      : `databaseUrl leads to ${host} in plaintext; add ?sslmode=verify-full (and &sslrootcert=FILE)`,
  );
}
