import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** Addresses of a tiny cluster and the config of a run on it. */
export interface Demo {
  policy: string;
  reward: string;
  trainer: string;
  run: Record<string, unknown>;
  stop(): Promise<void>;
}

/** Starts examples/demo/cluster.mjs; it ends with its input. */
export async function startDemo(): Promise<Demo> {
  const script = fileURLToPath(new URL("../../demo/cluster.mjs", import.meta.url));
  const child = spawn(process.execPath, [script], { stdio: ["pipe", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const lines = createInterface({ input: child.stdout });
  const first = await Promise.race([
    once(lines, "line").then(([line]) => String(line)),
    exited.then(() => undefined),
  ]);
  if (first === undefined) throw new Error("the demo cluster did not start");
  const addresses = JSON.parse(first) as Omit<Demo, "stop">;
  return {
    ...addresses,
    async stop() {
      child.stdin.end();
      await exited;
    },
  };
}
