import { StagecraftError } from "@stagecraft/core";
import { policy, reward } from "@stagecraft/contracts";
import { generationDefaults, readModelInfo } from "@stagecraft/model";
import { callInProcess } from "@stagecraft/rpc";
import type { ChosenTemplate } from "@stagecraft/tokenizer";
import { fixedModels, type ServedModels } from "@stagecraft/service-gateway";
import type { EngineSettings } from "@stagecraft/fields";
import {
  createPolicyService,
  createThreadedEngine,
  STREAM_INTERVAL_MS,
} from "@stagecraft/service-policy";
import { createRewardModelService, createThreadedScorers } from "@stagecraft/service-reward-model";
import { silentLogger, type Metrics } from "@stagecraft/telemetry";
import { createMemoryWeightStore, followWeights } from "@stagecraft/weights";

/** What of a model is served. */
export interface OpenModelOptions {
  dir: string;
  /** The name that requests use. */
  name: string;
  /** A chat template in the place of the model's. */
  chat?: ChosenTemplate;
  engine: EngineSettings;
  maxActive: number;
  maxQueued: number;
  /** Least time between two pieces of a streamed answer but its first and last, ms. */
  streamIntervalMs?: number;
  /** Counts tokens, items, queues and times, as the service of the same model does. */
  metrics?: Metrics;
}

/** A model in a thread of this process, behind what the gateway's API asks for. */
export interface OpenModel extends AsyncDisposable {
  readonly kind: "policy" | "reward";
  readonly models: ServedModels;
  /** Name of the tensor engine. */
  readonly engineName: string;
  /** What it cannot do as asked. */
  readonly engineNotice: string | undefined;
  /** What the model's generation_config.json asks for and is not done; scores have none. */
  readonly unsupported: readonly string[];
  /** Resolves with the reason when its thread has died. */
  readonly ended: Promise<StagecraftError | undefined>;
}

/** A policy, or a reward model if the directory has a score head and no language head. */
export async function openModel(options: OpenModelOptions): Promise<OpenModel> {
  const { heads, files } = await readModelInfo(options.dir);
  if (files["tokenizer.json"] === undefined) {
    throw new StagecraftError(
      "failed_precondition",
      `${options.dir} has no tokenizer.json; texts cannot be read without one`,
    );
  }
  if (heads.includes("score")) return openReward(options);
  const { unsupported } = generationDefaults(files, options.dir);
  return openPolicy(options, unsupported);
}

/** Prompt tokens of one step, and tokens of one scoring pass. */
const PREFILL = 2048;
const MAX_ITEMS = 256;
const logger = silentLogger();

async function openPolicy(
  { dir, name, streamIntervalMs = STREAM_INTERVAL_MS, ...options }: OpenModelOptions,
  unsupported: readonly string[],
): Promise<OpenModel> {
  const engine = await createThreadedEngine({
    ...options,
    ...{ name, modelDir: dir, logLevel: "error", streamIntervalMs },
    ...{ maxPrefillTokens: PREFILL, maxScoreTokens: PREFILL, startWaitMs: 0 },
  });
  const announcements = (async function* () {})();
  const follower = followWeights({ engine, store: createMemoryWeightStore(), announcements });
  const maxItemsPerRequest = MAX_ITEMS;
  const service = createPolicyService({
    engine,
    follower,
    maxItemsPerRequest,
    ...metered(options),
  });
  const backend = callInProcess(policy.PolicyServiceService, service.handlers, { logger });
  return {
    kind: "policy",
    models: fixedModels({ [name]: backend }),
    engineName: engine.engineName,
    engineNotice: engine.engineNotice,
    unsupported,
    ended: engine.ended,
    [Symbol.asyncDispose]: () => service.close(),
  };
}

async function openReward(options: OpenModelOptions): Promise<OpenModel> {
  const { dir, name, chat, engine, maxActive, maxQueued } = options;
  const models = [{ name, dir, chat }];
  const thread = await createThreadedScorers({ models, engine, ...metered(options) });
  const batching = { ...metered(options), maxBatch: maxActive, maxWaitMs: 1, maxQueued };
  const { scorers } = thread;
  const service = createRewardModelService({ ...batching, scorers, maxItemsPerRequest: MAX_ITEMS });
  const backend = callInProcess(reward.RewardServiceService, service.handlers, { logger });
  return {
    kind: "reward",
    models: fixedModels({}, { [name]: backend }),
    engineName: thread.engineName,
    engineNotice: thread.engineNotice,
    unsupported: [],
    ended: thread.ended,
    async [Symbol.asyncDispose]() {
      await service.close();
      await thread[Symbol.asyncDispose]();
    },
  };
}

const metered = ({ metrics }: Pick<OpenModelOptions, "metrics">) => (metrics ? { metrics } : {});
