import type { EngineSettings } from "@stagecraft/fields";
import type { RestartPolicy } from "./restart-policy.js";

/** The services of a cluster. */
export const SERVICES = ["policy", "reward-model", "rollout", "trainer", "gateway"] as const;
export type ServiceName = (typeof SERVICES)[number];

/** Services of which there may be several. There is one trainer: one writer. */
export const SCALABLE = ["policy", "reward-model", "rollout"] as const;
export type ScalableService = (typeof SCALABLE)[number];

/** Most processes of one service. */
export const MAX_REPLICAS = 256;

export interface ClusterOptions {
  /** Everything the cluster keeps: the broker's store, weights, logs, the control socket. */
  dir: string;
  /** Served until the first weights are published. */
  policyModelDir: string;
  rewardModelDir: string;
  /** Further reward models as `name=directory`; logged under their name, weighed by PPO's config. */
  rewardModels?: readonly string[];
  /** Default 2. */
  policies?: number;
  /** Default 1. */
  rewards?: number;
  /** Default 8. */
  rollouts?: number;
  /** Also a gateway: pages for people and OpenAI's API, on loopback; default false. */
  gateway?: boolean;
  /** Port of the pages; 0 (default) = a free one, or one from `portBase` on. */
  pagesPort?: number;
  /** Where the trainer keeps its runs; default `runs`. */
  runsDir?: string;
  /** Folders whose files the trainer's runs may name, beside the runs and the models; default: this one. */
  readDirs?: readonly string[];
  /** The cluster's name on the bus; default `main`. */
  deployment?: string;
  /** Tensor threads of each process; 0 (default) = all cores. */
  threads?: number;
  engine?: EngineSettings["engine"];
  /** A PJRT plugin's file for the engine xla; empty (default) = the one that pip installed. */
  plugin?: string;
  /** How engine xla rounds the factors of matrix products; default: f32. */
  matmulPrecision?: EngineSettings["matmulPrecision"];
  /** Who computes attention on engine xla; default: plain. */
  attention?: EngineSettings["attention"];
  /** First of the ports; 0 (default) = free ones. */
  portBase?: number;
  /** Time for a process to finish what it has when it is told to end; default 30 s. */
  graceMs?: number;
  /** A log that grows beyond this is rotated; default 64 MiB. */
  logMaxBytes?: number;
  /** Rotated logs that stay of each process; default 3. */
  logKeep?: number;
  /** More flags of a service, by field: `{ rollout: { concurrency: 8 } }`. */
  flags?: Readonly<Partial<Record<ServiceName, Readonly<Record<string, string | number>>>>>;
  /** Another program for a service, a JavaScript file that takes the same flags. */
  programs?: Readonly<Partial<Record<ServiceName, string>>>;
  restart?: Partial<RestartPolicy>;
  onEvent?(event: ClusterEvent): void;
  /** Gives up the start. */
  signal?: AbortSignal;
}

/** What `startCluster()` made of the options. */
export interface ResolvedOptions extends Required<Omit<ClusterOptions, "signal" | "restart">> {
  restart: RestartPolicy;
}

/** Something a person or a log should know. */
export interface ClusterEvent {
  time: string;
  level: "info" | "warn" | "error";
  /** The process it is about; empty for the cluster as a whole. */
  process: string;
  text: string;
}
