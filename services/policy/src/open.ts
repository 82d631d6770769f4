import type { EventBus } from "@stagecraft/bus";
import type { WeightStore } from "@stagecraft/checkpoint";
import { loadModel } from "@stagecraft/model";
import { silentLogger } from "@stagecraft/telemetry";
import { loadTokenizer } from "@stagecraft/tokenizer";
import { weightAnnouncements } from "./announcements.js";
import { createLocalEngine, type LocalEngineOptions } from "./local-engine.js";
import { createPolicyService, type PolicyService } from "./service.js";
import { followWeights } from "./weight-follower.js";

export interface OpenPolicyOptions extends Omit<LocalEngineOptions, "model" | "tokenizer"> {
  /** Model directory with tokenizer files: what is served until the first weights arrive. */
  modelDir: string;
  bus: EventBus;
  /** Where the trainer announces weights; see Topology. */
  weightsBucket: string;
  store: WeightStore;
  maxItemsPerRequest: number;
}

/** A policy service with its parts: model, engine, and somebody who follows the weights. */
export async function openPolicyService(options: OpenPolicyOptions): Promise<PolicyService> {
  const { modelDir, bus, store, logger = silentLogger() } = options;
  const tokenizer = await loadTokenizer(modelDir);
  const model = await loadModel(modelDir, { heads: ["lm"] });
  const engine = createLocalEngine({ ...options, model, tokenizer });
  const stop = new AbortController();
  const { signal } = stop;
  const announcements = weightAnnouncements(bus, options.weightsBucket, { signal, logger });
  const follower = followWeights({ engine, store, announcements, logger });
  const service = createPolicyService({ ...options, engine, follower });
  return {
    register: (server) => service.register(server),
    async close() {
      stop.abort();
      await service.close();
      await follower.done;
    },
  };
}
