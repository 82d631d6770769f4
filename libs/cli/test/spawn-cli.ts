import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const BIN = fileURLToPath(new URL("../bin/stagecraft.mjs", import.meta.url));

/** The repository's root, where README commands are meant to run. */
export const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

export interface CliResult {
  code: number | null;
  out: string;
  err: string;
}

export interface SpawnedCli {
  /** Resolves when stdout and stderr together contain the text; rejects when the process ends first. */
  waitFor(text: string): Promise<void>;
  /** Everything on stdout so far. */
  said(): string;
  kill(signal: NodeJS.Signals): void;
  /** Ends its standard input after writing `text`. */
  type(text: string): void;
  readonly done: Promise<CliResult>;
}

export interface SpawnOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
}

/** Starts the built command in a child process, as a user would. */
export function spawnCli(args: readonly string[], options: SpawnOptions = {}): SpawnedCli {
  const child = spawn(process.execPath, [BIN, ...args], { stdio: "pipe", cwd: ROOT, ...options });
  let [out, err] = ["", ""];
  let notify = () => {};
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
    notify();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    err += text;
    notify();
  });
  const done = once(child, "close").then(([code]) => ({ code: code as number | null, out, err }));
  return {
    waitFor: (text) =>
      new Promise((resolve, reject) => {
        notify = () => (out + err).includes(text) && resolve();
        notify();
        const ended = () => reject(new Error(`ended without "${text}":\n${out}${err}`));
        void done.then(ended);
      }),
    said: () => out,
    kill: (signal) => void child.kill(signal),
    type: (text) => void child.stdin.end(text),
    done,
  };
}

/** Runs a command to its end. */
export function runCli(args: readonly string[], options: SpawnOptions = {}): Promise<CliResult> {
  const child = spawnCli(args, options);
  child.type("");
  return child.done;
}
