import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { servingAddress, startProcess, type StartedProcess } from "@stagecraft/testing";
import type { Mutation } from "../fault-row.js";

export type ServiceName = (typeof SERVICES)[number];

const SERVICES = ["policy", "reward-model", "rollout", "trainer", "gateway"] as const;

/** Where a checkpoint's writer is struck; see preload/crash-point.mjs. */
export type CrashPoint =
  "before-save" | "mid-write" | "after-tmp" | "after-rename" | "before-latest" | "before-ack";

export interface ServiceStart {
  flags: Readonly<Record<string, string | number | boolean>>;
  mutations?: readonly Mutation[];
  crash?: { point: CrashPoint; nth?: number; signal?: "SIGKILL" | "SIGSTOP" };
}

/** A service's real process: its dist/main.js. */
export interface ServiceProcess extends StartedProcess {
  readonly name: ServiceName;
  /** `127.0.0.1:<port>` once it serves; rejects with its output when it ends before. */
  serving(timeoutMs?: number): Promise<string>;
  hasEnded(): boolean;
}

const mainOf = (name: ServiceName) =>
  fileURLToPath(new URL(`../../../../services/${name}/dist/main.js`, import.meta.url));

/** What `--import` takes to load one of preload/ with its options. */
export function preloadOf(file: string, options: unknown): string {
  const url = new URL(`../../preload/${file}`, import.meta.url);
  url.search = encodeURIComponent(JSON.stringify(options));
  return url.href;
}

/** Names of the services that are not built. */
export function missingServices(): string[] {
  return SERVICES.filter((name) => !existsSync(mainOf(name)));
}

/** Starts a service; disposing kills it (-9). */
export async function startService(
  name: ServiceName,
  start: ServiceStart,
): Promise<ServiceProcess> {
  const preloads = [
    ...(start.mutations?.length ? [preloadOf("mutate.mjs", start.mutations)] : []),
    ...(start.crash ? [preloadOf("crash-point.mjs", start.crash)] : []),
  ];
  const flags = Object.entries({ port: 0, ...start.flags });
  const started = await startProcess(process.execPath, [
    ...preloads.flatMap((url) => ["--import", url]),
    mainOf(name),
    ...flags.flatMap(([key, value]) => [`--${key}`, String(value)]),
  ]);
  let ended = false;
  void started.exited.then(() => (ended = true));
  return Object.assign(started, {
    name,
    hasEnded: () => ended,
    serving: (timeoutMs?: number) => servingAddress(started, name, timeoutMs),
  });
}
