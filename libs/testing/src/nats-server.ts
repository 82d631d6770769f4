import { spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { freePort, startProcess, type StartedProcess } from "./process.js";
import { tempDir } from "./temp-dir.js";
import { waitFor } from "./wait-for.js";

export interface NatsServerOptions {
  /** Upper bound of all streams together; default 256 MiB. */
  maxFileStoreBytes?: number;
  /** Where the streams are; default in the temporary folder. */
  storeDir?: string;
  /** More lines for the configuration file, e.g. an `authorization` block. */
  config?: string;
}

/** A nats-server with JetStream in a temporary folder, on a port of its own. */
export interface NatsServer extends AsyncDisposable {
  /** `nats://127.0.0.1:<port>`. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly storeDir: string;
  output(): string;
  /** kill -9; the store stays. */
  kill(): Promise<void>;
  /** Freezes and thaws (SIGSTOP, SIGCONT). */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Starts again on the same port and store; after `kill()`. */
  restart(): Promise<void>;
}

const SEARCH_PATHS = ["nats-server", "/usr/sbin/nats-server", "/usr/local/bin/nats-server"];
export const NATS_MISSING = "nats-server is not installed (apt-get install nats-server)";

let found: string | undefined;

/** Whether real-NATS tests can run; skip them with NATS_MISSING only when this is false. */
export function hasNatsServer(): boolean {
  found ??= SEARCH_PATHS.find((path) => spawnSync(path, ["--version"]).status === 0);
  return found !== undefined;
}

/** Starts one and waits until it accepts connections. Throws NATS_MISSING when there is none. */
export async function startNatsServer(options: NatsServerOptions = {}): Promise<NatsServer> {
  if (!hasNatsServer()) throw new Error(NATS_MISSING);
  const dir = await tempDir("stagecraft-nats-");
  const port = await freePort();
  const configFile = dir.file("nats.conf");
  const storeDir = options.storeDir ?? dir.file("store");
  await writeFile(configFile, configuration(port, storeDir, options));
  let server = await launch(configFile, port);
  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    get pid() {
      return server.pid;
    },
    storeDir,
    output: () => server.output(),
    kill: () => server.kill(),
    pause: () => server.kill("SIGSTOP"),
    resume: () => server.kill("SIGCONT"),
    async restart() {
      server = await launch(configFile, port);
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
}

function configuration(port: number, storeDir: string, options: NatsServerOptions): string {
  return [
    `listen: 127.0.0.1:${port}`,
    `jetstream { store_dir: "${storeDir}", max_mem: 64MB`,
    `  max_file: ${options.maxFileStoreBytes ?? 256 * 1024 * 1024} }`,
    options.config ?? "",
  ].join("\n");
}

async function launch(configFile: string, port: number): Promise<StartedProcess> {
  const server = await startProcess(found!, ["-c", configFile]);
  const died = server.exited.then((code) => {
    throw new Error(`nats-server exited with ${code}:\n${server.output()}`);
  });
  await Promise.race([
    died,
    waitFor(() => accepts(port), { what: "nats-server accepting connections" }),
  ]);
  died.catch(() => undefined); // from now on it dies when it is killed
  return server;
}

/** JetStream is ready before the listener opens, so a greeting is enough. */
function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const end = (result: boolean) => {
      socket.destroy();
      resolve(result);
    };
    socket.once("data", () => end(true));
    socket.once("error", () => end(false));
  });
}
