import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { waitFor } from "./wait-for.js";

export interface StartedProcess extends AsyncDisposable {
  readonly pid: number;
  readonly child: ChildProcess;
  /** Everything written so far, both streams. */
  output(): string;
  /** Sends the signal; resolves when the process is gone or, for STOP, stopped. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Exit code, or the signal's name. */
  readonly exited: Promise<number | NodeJS.Signals>;
}

const running = new Set<ChildProcess>();

/** No child outlives this process, whether it exits or is killed. */
export function endWithUs(child: ChildProcess): void {
  if (running.size === 0) process.once("exit", endAll);
  running.add(child);
  tellReaper(`+${child.pid}`);
  child.once("exit", () => {
    running.delete(child);
    tellReaper(`-${child.pid}`);
    if (running.size === 0) process.off("exit", endAll);
  });
}

function endAll(): void {
  for (const child of running) child.kill("SIGKILL");
}

/** Reads `+pid` and `-pid`; at the end of its input it kills whom it still knows. */
const REAPER = `pids=" "
while read -r line; do
  pid="\${line#?}"
  case "$line" in
    +*) pids="$pids$pid " ;;
    -*) pids="\${pids%% $pid *} \${pids#* $pid }" ;;
  esac
done
for pid in $pids; do kill -9 "$pid" 2>/dev/null; done`;

let reaper: ChildProcess | undefined;

/** A shell of its own session, which a kill -9 of this process leaves alive for a moment. */
function tellReaper(line: string): void {
  if (process.platform === "win32") return;
  reaper ??= startReaper();
  reaper.stdin?.write(`${line}\n`);
}

function startReaper(): ChildProcess {
  const shell = spawn("sh", ["-c", REAPER], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  shell.on("error", () => undefined);
  shell.stdin.on("error", () => undefined);
  shell.unref();
  (shell.stdin as Socket).unref();
  return shell;
}

/**
 * Starts a program; disposing kills it (-9), and so does the end of this process. Rejects when it
 * cannot be started.
 */
export async function startProcess(
  command: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<StartedProcess> {
  const child = spawn(command, [...args], { ...options, stdio: ["ignore", "pipe", "pipe"] });
  const chunks: string[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => chunks.push(chunk.toString()));
  const exited = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once("exit", (code, signal) => resolve(code ?? signal ?? -1));
  });
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", reject);
  });
  endWithUs(child);
  const kill = async (signal: NodeJS.Signals = "SIGKILL") => {
    child.kill(signal);
    // A stop takes effect a moment after the signal is sent.
    if (signal === "SIGSTOP") await waitFor(() => isStopped(child.pid!), { what: "the stop" });
    else if (signal !== "SIGCONT") await exited;
  };
  return {
    pid: child.pid!,
    child,
    output: () => chunks.join(""),
    kill,
    exited,
    [Symbol.asyncDispose]: () => kill("SIGKILL"),
  };
}

function isStopped(pid: number): boolean {
  const { stdout } = spawnSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" });
  return stdout.trim().startsWith("T");
}

/** A port that was free a moment ago; for servers that cannot report the one they got. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
