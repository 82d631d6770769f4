import { StagecraftError, type JsonObject } from "@stagecraft/core";
import { loadModel, loadTokenizerOf, readModelInfo, type Model } from "@stagecraft/model";
import { withLora } from "@stagecraft/runs";
import type { Tokenizer } from "@stagecraft/tokenizer";
import type { PpoConfig } from "./config.js";

/** Everything that PPO trains or compares with. */
export interface PpoModels {
  policy: Model;
  /** Frozen; under LoRA the policy's own base when it is the policy's start. */
  reference: Model;
  /** The policy itself when they share a trunk; undefined for estimators without a critic. */
  critic: Model | undefined;
  tokenizer: Tokenizer;
  /** 1 / the standard deviation that is stored with the reward model, when that is wanted. */
  scoreScale: number;
  /** The mean score of the reference answers that is stored with it; 0 when none is. */
  scoreZero: number;
  dispose(): void;
}

/** Loads them; throws `failed_precondition` when they do not share a tokenizer. */
export async function loadPpoModels(config: PpoConfig): Promise<PpoModels> {
  const tokenizer = await loadTokenizerOf(config.policy, config);
  await checkTokenizers(config, tokenizer);
  const { extra } = await readModelInfo(config.rewardModel);
  const scoreScale = config.normalizeScore ? scaleOf(extra, config.rewardModel) : 1;
  const scoreZero = storedNumber(extra, "mean") ?? 0;
  const loaded: Model[] = [];
  const dispose = () => loaded.forEach((model) => model.dispose());
  const keep = (model: Model) => {
    loaded.push(model);
    return model;
  };
  try {
    const { policy, base } = await loadPolicy(config, keep);
    const reference =
      base && config.reference === ""
        ? base
        : keep(await loadModel(config.reference || config.policy, { heads: ["lm"] }));
    const critic = await loadCritic(config, policy, keep);
    return { policy, reference, critic, tokenizer, scoreScale, scoreZero, dispose };
  } catch (thrown) {
    dispose();
    throw thrown;
  }
}

async function loadPolicy(config: PpoConfig, keep: (model: Model) => Model) {
  const heads = config.critic === "shared" ? (["lm", "value"] as const) : (["lm"] as const);
  const base = await loadModel(config.policy, { heads, seed: config.seed });
  if (config.loraRank === 0) return { policy: keep(base), base: undefined };
  return { policy: keep(withLora(base, config, config.seed)), base };
}

/** From the reward model's trunk, with a value head of zeros [IG, St]. */
async function loadCritic(
  config: PpoConfig,
  policy: Model,
  keep: (model: Model) => Model,
): Promise<Model | undefined> {
  if (config.estimator !== "gae") return undefined;
  if (config.critic === "shared") return policy;
  const base = await loadModel(config.rewardModel, { heads: ["value"], seed: config.seed });
  return keep(withLora(base, config, config.seed + 1));
}

async function checkTokenizers(config: PpoConfig, tokenizer: Tokenizer): Promise<void> {
  for (const dir of [config.reference || config.policy, config.rewardModel]) {
    const other = await loadTokenizerOf(dir, config);
    if (other.fingerprint === tokenizer.fingerprint) continue;
    throw new StagecraftError(
      "failed_precondition",
      `${dir} has another tokenizer than ${config.policy}; policy, reference and reward model must share one`,
    );
  }
}

function scaleOf(extra: JsonObject, dir: string): number {
  const stored = storedNumber(extra, "std") ?? 0;
  if (stored > 0) return 1 / stored;
  throw new StagecraftError(
    "failed_precondition",
    `${dir} stores no standard deviation of its scores; train it with the reward stage, or set normalizeScore to false`,
  );
}

function storedNumber(extra: JsonObject, field: "mean" | "std"): number | undefined {
  const stored = (extra["rewardModel"] as JsonObject | undefined)?.[field];
  return typeof stored === "number" ? stored : undefined;
}
