import type { common } from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import type { PolicyBackend, RewardBackend, ServedModels } from "./backend.js";

/** Since when this process serves, as OpenAI's `created` wants it. */
const STARTED = Math.floor(Date.now() / 1000);

interface ModelEntry {
  id: string;
  object: "model";
  created: number;
  owned_by: "stagecraft";
  /** Beyond OpenAI's: what it is for, which weights it has now, and the longest prompt and answer. */
  kind: "policy" | "reward";
  version?: string;
  max_model_len?: number;
}

/** Every model by its name; one that does not answer is listed without its version. */
export async function listModels(models: ServedModels): Promise<object> {
  const entries = [
    ...[...models.policies()].map(([name, backend]) => policyEntry(name, backend)),
    ...[...models.rewards()].map(([name, backend]) => rewardEntry(name, backend)),
  ];
  return { object: "list", data: await Promise.all(entries) };
}

/** One of them; throws `not_found`. */
export async function describeModel(models: ServedModels, name: string): Promise<object> {
  const policy = models.policies().get(name);
  if (policy) return policyEntry(name, policy);
  const reward = models.rewards().get(name);
  if (reward) return rewardEntry(name, reward);
  throw new StagecraftError(
    "not_found",
    `there is no model ${JSON.stringify(name.slice(0, 200))}`,
    {
      details: { param: "model", apiCode: "model_not_found" },
    },
  );
}

function policyEntry(name: string, backend: PolicyBackend): Promise<ModelEntry> {
  return entryOf(name, "policy", backend.getModelInfo({ model: "" }));
}

function rewardEntry(name: string, backend: RewardBackend): Promise<ModelEntry> {
  return entryOf(name, "reward", backend.getModelInfo({ model: undefined }));
}

async function entryOf(
  id: string,
  kind: ModelEntry["kind"],
  asked: Promise<{ info: common.ModelInfo | undefined }>,
): Promise<ModelEntry> {
  const entry = { id, object: "model", created: STARTED, owned_by: "stagecraft", kind } as const;
  const info = await asked.then(({ info: told }) => told).catch(() => undefined);
  if (!info) return entry;
  return { ...entry, version: info.version, max_model_len: info.maxPositions };
}
