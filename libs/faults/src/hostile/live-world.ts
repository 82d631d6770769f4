import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { feedback, rollout, trainer } from "@stagecraft/contracts";
import { createRpcClient } from "@stagecraft/rpc";
import type { Cleanup } from "../world/cleanup.js";
import { modelCalls, type HonestCall } from "../world/honest-callers.js";
import { startModelServers } from "../world/model-servers.js";
import { startService, type ServiceProcess, type ServiceStart } from "../world/service-process.js";

/** One of the servers that are attacked. */
export interface LiveServer {
  service: ServiceProcess;
  address: string;
  /** Beginning of the paths of its RPCs. */
  prefix: string;
}

/** All five services as real processes with tiny models, and what honest callers ask of them. */
export interface LiveWorld {
  servers: LiveServer[];
  calls: Record<string, HonestCall>;
}

export async function startLiveWorld(cleanup: Cleanup): Promise<LiveWorld> {
  const models = await startModelServers(cleanup, {});
  const { dir, natsUrl, policyAddress, rewardAddress } = models;
  const start = async (
    name: ServiceProcess["name"],
    prefix: string,
    flags: ServiceStart["flags"],
  ) => {
    const service = cleanup.use(await startService(name, { flags }));
    return { service, address: await service.serving(), prefix };
  };
  const [trainers, gateways, workers] = await Promise.all([
    start("trainer", "/stagecraft.trainer.", {
      ...{ engine: "cpu", threads: 1, "nats-url": natsUrl, "read-dirs": dir },
      ...{ "runs-dir": join(dir, "runs"), "weights-dir": join(dir, "weights") },
      "call-quotas": "CreateRun=1000000000",
    }),
    start("gateway", "/stagecraft.feedback.", {
      "feedback-dir": join(dir, "feedback"),
      "http-port": -1,
    }),
    start("rollout", "/stagecraft.rollout.", {
      ...{ "nats-url": natsUrl, "policy-address": policyAddress, "reward-address": rewardAddress },
    }),
  ]);
  const options = { idempotent: "all", timeoutMs: 30_000 } as const;
  const runs = cleanup.use(
    createRpcClient(trainer.TrainerServiceClient, trainers.address, options),
  );
  const feedbacks = cleanup.use(
    createRpcClient(feedback.FeedbackServiceClient, gateways.address, options),
  );
  const rollouts = cleanup.use(
    createRpcClient(rollout.RolloutServiceClient, workers.address, options),
  );
  const page = { pageSize: 1, pageToken: "" };
  return {
    servers: [
      { service: models.policy, address: policyAddress, prefix: "/stagecraft.policy." },
      { service: models.reward, address: rewardAddress, prefix: "/stagecraft.reward." },
      ...[trainers, gateways, workers],
    ],
    calls: {
      ...cleanup.use(modelCalls(models)).calls,
      listRuns: () => answered(runs.listRuns({ ...page, stage: "" })),
      listFeedback: () =>
        answered(feedbacks.listFeedback({ ...page, kind: 0, includeRevised: false })),
      getStatus: () => answered(rollouts.getStatus({})),
    },
  };
}

/** What is attacked changes these answers; that there is one counts. */
async function answered(call: Promise<unknown>): Promise<string> {
  await call;
  return "answered";
}

/** Memory that a process holds. */
export function residentBytes({ pid }: ServiceProcess): number {
  return Number(execFileSync("ps", ["-o", "rss=", "-p", String(pid)])) * 1024;
}
