import type { TensorMap } from "@stagecraft/checkpoint";
import type { ParsedWeights } from "@stagecraft/contracts";
import { createSerialQueue, isCancelled, StagecraftError } from "@stagecraft/core";
import { silentLogger, type Logger } from "@stagecraft/telemetry";
import type { WeightStore } from "./weight-store.js";

/** What weights are brought into. */
export interface WeightUser {
  status(): { weights: ParsedWeights };
  /** Resolves when they are in use. The tensors are its own from then on. */
  loadWeights(weights: ParsedWeights, tensors: TensorMap): Promise<void>;
}

export interface WeightFollowerOptions {
  engine: WeightUser;
  store: WeightStore;
  /**
   * What the trainer wants in use, newest last; may repeat and may skip. Followed even backwards: a
   * trainer that went back to a checkpoint publishes from there on.
   */
  announcements: AsyncIterable<ParsedWeights>;
  logger?: Logger;
}

/** Keeps an engine at the newest weights of a store. */
export interface WeightFollower {
  /** Brings one version into use; see PolicyService.LoadWeights. */
  load(wanted: ParsedWeights, options: { allowRollback: boolean }): Promise<void>;
  /** Looks into the store for weights that no announcement told of. */
  catchUp(): Promise<void>;
  /** Being fetched or swapped in. */
  readonly loading: ParsedWeights | undefined;
  /** Resolves when the announcements have ended. */
  readonly done: Promise<void>;
}

/** Starts following at once. Failures are logged; the next announcement is another chance. */
export function followWeights(options: WeightFollowerOptions): WeightFollower {
  const { engine, store, announcements, logger = silentLogger() } = options;
  let loading: ParsedWeights | undefined;
  const loads = createSerialQueue(); // in the order of arrival

  const load = async (wanted: ParsedWeights, allowRollback: boolean) => {
    const current = engine.status().weights;
    if (wanted.version === current.version && sameHash(wanted, current)) return;
    if (wanted.version < current.version && !allowRollback) throw older(wanted, current);
    loading = wanted;
    try {
      const startedAt = performance.now();
      const tensors = await store.fetch(wanted.version, wanted.sha256 || undefined);
      await engine.loadWeights(wanted, tensors);
      const durationMs = Math.round(performance.now() - startedAt);
      logger.info({ weightVersion: wanted.version, durationMs }, "weights are in use");
    } finally {
      loading = undefined;
    }
  };
  const attempt = async (wanted: ParsedWeights, onlyNewer: boolean) => {
    try {
      await loads.run(async () => {
        if (onlyNewer && wanted.version <= engine.status().weights.version) return;
        await load(wanted, true);
      });
    } catch (error) {
      logger.warn({ err: error, weightVersion: wanted.version }, "weights could not be loaded");
    }
  };
  const follow = async () => {
    for await (const wanted of announcements) await attempt(wanted, false);
  };

  return {
    load: (wanted, { allowRollback }) => loads.run(() => load(wanted, allowRollback)),
    async catchUp() {
      const latest = await store.latest();
      if (latest) await attempt(latest, true);
    },
    get loading() {
      return loading;
    },
    done: follow().catch((error: unknown) => {
      if (!isCancelled(error)) logger.error({ err: error }, "no longer hears of new weights");
    }),
  };
}

function sameHash(a: ParsedWeights, b: ParsedWeights): boolean {
  return a.sha256 === "" || a.sha256 === b.sha256;
}

function older(wanted: ParsedWeights, current: ParsedWeights): StagecraftError {
  return new StagecraftError(
    "failed_precondition",
    `weights ${wanted.version} are not newer than ${current.version}, which is in use; set allow_rollback to go back`,
  );
}
