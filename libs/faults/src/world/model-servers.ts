import { join } from "node:path";
import { startNatsServer, tempDir } from "@stagecraft/testing";
import type { Mutation } from "../fault-row.js";
import type { Cleanup } from "./cleanup.js";
import { startService, type ServiceProcess, type ServiceStart } from "./service-process.js";
import { writeTinyWorld, type TinyWorld } from "./tiny-world.js";

/** A real policy and a real reward-model process with models of one layer, and what they need. */
export interface ModelServers {
  /** A folder that goes with them. */
  dir: string;
  world: TinyWorld;
  natsUrl: string;
  policy: ServiceProcess;
  policyAddress: string;
  reward: ServiceProcess;
  rewardAddress: string;
}

export interface ModelServersOptions {
  mutations?: readonly Mutation[];
  /** Of one of them alone. */
  flags?: Partial<Record<"policy" | "reward-model", ServiceStart["flags"]>>;
}

/** Starts them; `cleanup` ends them. */
export async function startModelServers(
  cleanup: Cleanup,
  { mutations = [], flags = {} }: ModelServersOptions,
): Promise<ModelServers> {
  const { path: dir } = cleanup.use(await tempDir("stagecraft-servers-"));
  const world = await writeTinyWorld(dir);
  const nats = cleanup.use(await startNatsServer({ maxFileStoreBytes: 8 * 1024 ** 3 }));
  const common = { engine: "cpu", threads: 1 };
  const weights = { "nats-url": nats.url, "weights-dir": join(dir, "weights") };
  const start = async (name: "policy" | "reward-model", own: ServiceStart["flags"]) =>
    cleanup.use(
      await startService(name, { flags: { ...common, ...own, ...flags[name] }, mutations }),
    );
  const policy = await start("policy", { ...weights, "model-dir": world.policyDir });
  const reward = await start("reward-model", { models: `rm=${world.rewardDir}` });
  const [policyAddress, rewardAddress] = await Promise.all([policy.serving(), reward.serving()]);
  return { dir, world, natsUrl: nats.url, policy, policyAddress, reward, rewardAddress };
}
