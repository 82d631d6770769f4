import type { EventBus } from "@stagecraft/bus";
import { loadModel, loadTokenizerOf } from "@stagecraft/model";
import { silentLogger, type Logger, type Metrics } from "@stagecraft/telemetry";
import type { ChosenTemplate } from "@stagecraft/tokenizer";
import { followWeights, weightAnnouncements, type WeightStore } from "@stagecraft/weights";
import type { PolicyEngine } from "./engine.js";
import { createLocalEngine, type LocalEngineOptions } from "./local-engine.js";
import { createPolicyService, type PolicyService } from "./service.js";

export interface OpenPolicyOptions extends PolicyPartsOptions, LocalModelOptions {}

export interface LocalModelOptions extends Omit<LocalEngineOptions, "model" | "tokenizer"> {
  /** Model directory with tokenizer files: what is served until the first weights arrive. */
  modelDir: string;
  /** A chat template in the place of the model's. */
  chat?: ChosenTemplate | undefined;
}

export interface PolicyPartsOptions {
  bus: EventBus;
  /** Where the trainer announces weights; see Topology. */
  weightsBucket: string;
  store: WeightStore;
  maxItemsPerRequest: number;
  logger?: Logger;
  metrics?: Metrics;
}

/** A policy service with its parts: a model on this thread, and what `assemblePolicyService` adds. */
export async function openPolicyService(options: OpenPolicyOptions): Promise<PolicyService> {
  const tokenizer = await loadTokenizerOf(options.modelDir, options.chat ?? {});
  const model = await loadModel(options.modelDir, { heads: ["lm"] });
  return assemblePolicyService(createLocalEngine({ ...options, model, tokenizer }), options);
}

/** A policy service over an engine, wherever it runs, and somebody who follows the weights. */
export function assemblePolicyService(
  engine: PolicyEngine,
  options: PolicyPartsOptions,
): PolicyService {
  const { bus, store, logger = silentLogger() } = options;
  const stop = new AbortController();
  const { signal } = stop;
  const announcements = weightAnnouncements(bus, options.weightsBucket, { signal, logger });
  const follower = followWeights({ engine, store, announcements, logger });
  const service = createPolicyService({ ...options, engine, follower });
  return {
    handlers: service.handlers,
    register: (server) => service.register(server),
    async close() {
      stop.abort();
      await service.close();
      await follower.done;
    },
  };
}
