import type { policy, reward } from "@stagecraft/contracts";
import { type common } from "@stagecraft/contracts";
import type { RpcMethods } from "@stagecraft/rpc";

/** What stands behind a model's name: a policy over gRPC (all its replicas), or one of this process. */
export type PolicyBackend = Pick<
  RpcMethods<typeof policy.PolicyServiceService>,
  "generate" | "getModelInfo"
>;

/** The same for a reward model. */
export type RewardBackend = Pick<
  RpcMethods<typeof reward.RewardServiceService>,
  "scoreBatch" | "getModelInfo"
>;

/** Who answers under which name. Asked at every request: models may come and go. */
export interface ServedModels {
  policies(): ReadonlyMap<string, PolicyBackend>;
  rewards(): ReadonlyMap<string, RewardBackend>;
}

/** Models that stay the same. */
export function fixedModels(
  policies: Readonly<Record<string, PolicyBackend>>,
  rewards: Readonly<Record<string, RewardBackend>> = {},
): ServedModels {
  const [some, others] = [new Map(Object.entries(policies)), new Map(Object.entries(rewards))];
  return { policies: () => some, rewards: () => others };
}

/** A set of weights as answers name it: its number and the beginning of its hash, if it has one. */
export function weightsName({ version, sha256 }: common.WeightVersion): string {
  return `v${version}${sha256 === "" ? "" : `-${sha256.slice(0, 12)}`}`;
}
