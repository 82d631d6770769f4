import type { BusMessage, EventBus, Topology } from "@stagecraft/bus";
import { events, policy, reward } from "@stagecraft/contracts";
import { createRpcClient, type RpcClientOptions } from "@stagecraft/rpc";
import {
  METRICS,
  silentLogger,
  withSpan,
  type Logger,
  type Metrics,
  type TraceContext,
} from "@stagecraft/telemetry";
import { askPolicy } from "./ask-policy.js";
import { createGrpcPolicyPort, createGrpcRewardPort, type PolicyText } from "./grpc-ports.js";
import type { WeightedReward } from "./ports.js";
import { processTask, rolloutIdOf } from "./process-task.js";
import { createRolloutService, type RolloutService } from "./service.js";
import { startWorker } from "./worker.js";

/** A reward model on a server and its part in the score. */
export interface RewardSource {
  address: string;
  /** Empty means the server's default. */
  model: string;
  /** 0: logged with the rollout, not counted. */
  weight: number;
}

/** How to reach the servers. */
export type ConnectionOptions = Pick<RpcClientOptions<never>, "tls" | "token" | "allowPlaintext">;

export interface OpenRolloutOptions {
  workerId: string;
  bus: EventBus;
  topology: Topology;
  /** gRPC target of the policy servers. */
  policyAddress: string;
  rewards: readonly RewardSource[];
  /** Reward sources inside this process. */
  localRewards?: readonly WeightedReward[];
  connection?: ConnectionOptions;
  /** Tasks in flight at once. */
  concurrency: number;
  /** For one answer, waiting for its turn and for weights included. */
  generateTimeoutMs: number;
  /** For one score. */
  scoreTimeoutMs: number;
  /** The policy server must answer within this when the worker starts. */
  connectTimeoutMs: number;
  /** See RolloutServiceDeps. */
  onDrained?(problem: string | undefined): void;
  logger?: Logger;
  metrics?: Metrics;
}

/** A rollout service with its parts: clients, consumer, and the worker between them. */
export async function openRolloutService(options: OpenRolloutOptions): Promise<RolloutService> {
  const { bus, topology, workerId, concurrency, logger = silentLogger(), metrics } = options;
  const parts = metrics?.histogram(METRICS.rolloutDuration);
  const policyClient = createRpcClient(policy.PolicyServiceClient, options.policyAddress, {
    ...options.connection,
    ...(metrics ? { metrics } : {}),
    timeoutMs: options.generateTimeoutMs,
    idempotent: "all",
    waitForReady: true,
  });
  const { endIds, text } = await askPolicy(policyClient, {
    timeoutMs: options.connectTimeoutMs,
    onWaiting: () => logger.info({ policyAddress: options.policyAddress }, "waiting for a policy"),
  });
  const { rewards, close: closeRewards } = connectRewards(options, text);
  const consume = () => bus.consume({ ...topology.promptsConsumer, prefetch: concurrency });
  const consumer = await consume();
  const port = createGrpcPolicyPort(policyClient);
  const worker = startWorker({
    consumer,
    concurrency,
    logger,
    ...(metrics ? { metrics } : {}),
    process: (task, signal, trace) => {
      const onPart = (part: string, seconds: number) => parts?.observe({ part }, seconds);
      return processTask(task, { policy: port, rewards, workerId, endIds, signal, trace, onPart });
    },
    async publish(rollout, message, trace) {
      const startedAt = performance.now();
      await publishRollout(options, { rollout, message, trace });
      parts?.observe({ part: "publish" }, (performance.now() - startedAt) / 1000);
    },
    publishFailure: (task, failure, message) => publishFailure(options, { task, failure, message }),
  });
  const { onDrained } = options;
  const told = onDrained ? { onDrained } : {};
  const service = createRolloutService({ worker, workerId, consume, logger, ...told });
  return {
    register: (server) => service.register(server),
    async close(signal) {
      await service.close(signal);
      policyClient.close();
      closeRewards();
    },
  };
}

function connectRewards(
  { rewards, localRewards = [], connection, scoreTimeoutMs, metrics }: OpenRolloutOptions,
  policy: PolicyText,
): { rewards: WeightedReward[]; close(): void } {
  const clients = rewards.map(({ address }) =>
    createRpcClient(reward.RewardServiceClient, address, {
      ...connection,
      ...(metrics ? { metrics } : {}),
      timeoutMs: scoreTimeoutMs,
      idempotent: "all",
      waitForReady: true,
    }),
  );
  const remote = rewards.map(({ model, weight }, i) => {
    const port = createGrpcRewardPort(clients[i]!, { model, policy });
    return { port, weight };
  });
  return {
    rewards: [...remote, ...localRewards],
    close: () => clients.forEach((client) => client.close()),
  };
}

async function publishRollout(
  { bus, topology }: OpenRolloutOptions,
  answer: { rollout: events.Rollout; message: BusMessage; trace: TraceContext },
): Promise<void> {
  const { rollout, message, trace: parent } = answer;
  // The same for every delivery of a message, another when the trainer asks again.
  const id = `rollout/${message.id}`;
  await withSpan("publish rollout", { kind: "producer", parent }, async ({ context, headers }) => {
    const traceparent = headers().traceparent ?? rollout.traceparent;
    const bytes = events.Rollout.encode({ ...rollout, traceparent }).finish();
    await bus.publish(topology.subjects.rollouts, bytes, { id, trace: context });
  });
}

async function publishFailure(
  { bus, topology, workerId }: OpenRolloutOptions,
  told: { task: events.PromptTask; failure: events.TaskFailure; message: BusMessage },
): Promise<void> {
  const { task, failure, message } = told;
  const { taskId, runId, promptId, traceparent } = task;
  const ids = { rolloutId: rolloutIdOf(taskId), taskId, runId, promptId, workerId, traceparent };
  const event = events.Rollout.fromPartial({ ...ids, failure, createdAt: new Date() });
  const id = `failure/${message.id}/${failure.willRetry ? "tried again" : "given up"}`;
  await bus.publish(topology.subjects.rollouts, events.Rollout.encode(event).finish(), { id });
}
