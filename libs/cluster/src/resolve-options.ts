import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { StagecraftError } from "@stagecraft/core";
import { MAX_REPLICAS, type ClusterOptions, type ResolvedOptions } from "./options.js";
import { DEFAULT_RESTART } from "./restart-policy.js";

/** Options with defaults. Throws `invalid_argument` with every problem, `not_found` for a missing model. */
export function resolveOptions({ signal: _, ...options }: ClusterOptions): ResolvedOptions {
  const resolved: ResolvedOptions = {
    rewardModels: [],
    policies: 2,
    rewards: 1,
    rollouts: 8,
    gateway: false,
    pagesPort: 0,
    runsDir: "runs",
    readDirs: [process.cwd()],
    deployment: "main",
    threads: 0,
    engine: "auto",
    plugin: "",
    matmulPrecision: "auto",
    attention: "auto",
    portBase: 0,
    graceMs: 30_000,
    logMaxBytes: 64 * 1024 * 1024,
    logKeep: 3,
    flags: {},
    programs: {},
    onEvent: () => undefined,
    ...options,
    restart: { ...DEFAULT_RESTART, ...options.restart },
  };
  const problems = (["policies", "rewards", "rollouts"] as const).flatMap((field) =>
    countProblem(field, resolved[field]),
  );
  if (problems.length > 0) throw new StagecraftError("invalid_argument", problems.join("; "));
  checkModel("policy model", resolved.policyModelDir);
  checkModel("reward model", resolved.rewardModelDir);
  for (const entry of resolved.rewardModels) {
    checkModel("reward model", entry.slice(entry.indexOf("=") + 1));
  }
  return resolved;
}

/** What is wrong with a number of processes. */
export function countProblem(field: string, count: number): string[] {
  if (Number.isInteger(count) && count >= 1 && count <= MAX_REPLICAS) return [];
  return [`${field} is ${count}, must be a whole number from 1 to ${MAX_REPLICAS}`];
}

/** Throws `not_found` for a folder without a model. */
export function checkModel(what: string, dir: string): void {
  if (existsSync(join(dir, "config.json"))) return;
  throw new StagecraftError(
    "not_found",
    `${what} ${resolve(dir)} is no model directory (it has no config.json)`,
  );
}
