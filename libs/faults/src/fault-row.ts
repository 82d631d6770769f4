import type { Random } from "@stagecraft/core";

/** What a row gets to run with. */
export interface FaultContext {
  /** How often the fault strikes. */
  count: number;
  /** Everything random comes from it; a run is repeated with the same number. */
  seed: number;
  random: Random;
  /** Short runs on busy machines check what must hold at all, not how fast it comes back. */
  checkTimes: boolean;
  /** Without progress for so long the system counts as stuck. */
  patienceMs: number;
  /** Guards that are switched off, for controls. */
  mutations: readonly Mutation[];
  /** Tells how far it is. */
  progress(done: number, total: number, note?: string): void;
}

/** A change of one of the product's compiled modules. */
export interface Mutation {
  /** End of the module's path, e.g. `services/trainer/dist/rollouts/bus-rollouts.js`. */
  file: string;
  find: string;
  replace: string;
}

/** What came out. Nothing in `problems` means that everything that must hold held. */
export interface FaultResult {
  problems: string[];
  /** Figures for the table, by name. */
  figures: Record<string, number | string>;
}

/** A guard, the change that takes it away, and what the row must then find. */
export interface FaultControl extends Mutation {
  name: string;
  /** What is changed beside it. */
  also?: readonly Mutation[];
  /** Whose modules are changed: the services' (default), or the harness's own, as their client. */
  where?: "services" | "harness";
  count: number;
  /** Some problem must match. */
  expect: RegExp;
}

/** All that a control changes. */
export function mutationsOf({ also = [], ...first }: FaultControl): Mutation[] {
  return [first, ...also].map(({ file, find, replace }) => ({ file, find, replace }));
}

/** One row of the table of faults. */
export interface FaultRow {
  name: string;
  /** One sentence: the fault and what must hold. */
  doc: string;
  /** Strikes of the full run and of the short one in CI. */
  counts: { full: number; short: number };
  run(context: FaultContext): Promise<FaultResult>;
  controls: readonly FaultControl[];
  /** Why it cannot run here; undefined when it can. */
  unavailable?(): string | undefined;
}
