import { execFile, spawn, spawnSync } from "node:child_process";
import { chmod, chown, copyFile, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { endWithUs, freePort } from "./process.js";

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

export interface PostgresOptions {
  /** PEM files; with them nobody gets in without TLS, on 127.0.0.1 and 127.0.0.2. */
  tls?: { certFile: string; keyFile: string };
}

/** A server of PostgreSQL on loopback, in a folder of its own; as user postgres where this is root. */
export async function startPostgres(
  bin: string,
  { tls }: PostgresOptions = {},
): Promise<PostgresServer> {
  const user = userInfo().uid === 0 ? postgresUser() : {};
  const dir = await mkdtemp(join(tmpdir(), "stagecraft-postgres-"));
  if (user.uid !== undefined) await chown(dir, user.uid, user.gid!);
  const data = join(dir, "data");
  const options = { ...user, cwd: dir, encoding: "utf8" as const };
  const flags = ["-D", data, "-U", "stagecraft", "-A", "trust", "-E", "UTF8", "--no-sync"];
  const made = spawnSync(join(bin, "initdb"), flags, options);
  if (made.status !== 0) throw new Error(`initdb: ${made.stderr}`);
  const tlsFlags = tls ? await setUpTls(data, tls, user) : [];
  const port = await freePort();
  let server: ReturnType<typeof spawn> | undefined;
  const url = `postgres://stagecraft@127.0.0.1:${port}/postgres`;
  const start = async () => {
    const args = ["-D", data, "-p", String(port), "-h", "127.0.0.1", "-k", dir, ...tlsFlags];
    server = spawn(join(bin, "postgres"), args, { ...user, cwd: dir, stdio: "ignore" });
    const started = server;
    endWithUs(started);
    const isReady = () =>
      promisify(execFile)(join(bin, "pg_isready"), ["-h", "127.0.0.1", "-p", String(port)]).then(
        () => true,
        () => false,
      );
    while (!(await isReady()))
      if (started.exitCode !== null) throw new Error(`postgres ended with ${started.exitCode}`);
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

/** Takes nothing but TLS from now on; returns the server's flags. */
async function setUpTls(
  data: string,
  { certFile, keyFile }: NonNullable<PostgresOptions["tls"]>,
  { uid, gid }: ReturnType<typeof postgresUser>,
): Promise<string[]> {
  const files = { ssl_cert_file: certFile, ssl_key_file: keyFile };
  for (const [setting, file] of Object.entries(files)) {
    const copy = join(data, setting);
    await copyFile(file, copy);
    await chmod(copy, 0o600);
    if (uid !== undefined) await chown(copy, uid, gid!);
  }
  await writeFile(join(data, "pg_hba.conf"), "hostssl all all 127.0.0.0/8 trust\n");
  const settings = ["ssl=on", "listen_addresses=127.0.0.1,127.0.0.2"];
  const copies = Object.keys(files).map((setting) => `${setting}=${join(data, setting)}`);
  return [...settings, ...copies].flatMap((setting) => ["-c", setting]);
}

function postgresUser(): { uid?: number; gid?: number } {
  const id = (flag: string) =>
    Number(spawnSync("id", [flag, "postgres"], { encoding: "utf8" }).stdout);
  return { uid: id("-u"), gid: id("-g") };
}
