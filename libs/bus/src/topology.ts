import { StagecraftError } from "@stagecraft/core";
import type { BucketOptions, ConsumerSpec, Ensured, EventBus, StreamSpec } from "./bus.js";
import { DEAD_PREFIX, DEAD_STREAM } from "./dead-letters.js";
import { checkName } from "./common/subjects.js";

/** Where `checkReady()` writes. */
export const CANARY_SUBJECT = "stagecraft.canary";

export interface TopologyOptions {
  /** Prompt tasks waiting; default 16 MiB. A full stream makes the trainer wait. */
  promptsMaxBytes?: number;
  /** Rollouts waiting; default 256 MiB. A full stream makes the rollout workers wait. */
  rolloutsMaxBytes?: number;
  /** Rollouts older than this are dropped even when nobody consumed them; default 7 days. */
  rolloutsMaxAgeMs?: number;
  /** Default 10 s: so long a killed worker's tasks lie still. A living one keeps its own, however long they take. */
  taskAckWaitMs?: number;
  /** Tasks in the hands of all rollout workers together; default 4096. */
  tasksMaxAckPending?: number;
  /** Default 30 s. */
  rolloutAckWaitMs?: number;
  /** Rollouts the trainer may hold before it commits; default 65536. */
  rolloutsMaxAckPending?: number;
  /** Size of the weights' objects. Default: the trainer makes it grow by its model and `keepWeights`. */
  weightsMaxBytes?: number;
  /** That of a new bucket, for a trainer that may not make it grow; default 16 MiB. */
  weightsStartBytes?: number;
  /** Copies of everything; default 1, production wants 3. */
  replicas?: number;
}

/** Names and settings of everything one deployment uses on the bus. */
export interface Topology {
  deployment: string;
  subjects: { prompts: string; rollouts: string; progress: string };
  /** Bucket of the weights (key-value and objects); keys are the publisher's. */
  weightsBucket: string;
  streams: readonly StreamSpec[];
  /** Shared by all rollout workers. */
  promptsConsumer: ConsumerSpec;
  /** The trainer's; messages return until they are acked after a commit, however often. */
  rolloutsConsumer: ConsumerSpec;
  bucketOptions: BucketOptions;
}

/** Where a deployment keeps whole models; made by the first one that is pushed. */
export function modelsBucket(deployment: string): string {
  return `models_${deployment}`;
}

const MIB = 1024 * 1024;
const DAY_MS = 24 * 3600_000;

/** Pure: what a deployment of that name uses. Throws `invalid_argument` for a name that is no subject token. */
export function deploymentTopology(deployment: string, options: TopologyOptions = {}): Topology {
  checkName("deployment", deployment);
  const { replicas = 1, weightsMaxBytes: maxBytes, weightsStartBytes: startBytes } = options;
  const subjects = {
    prompts: `stagecraft.${deployment}.prompts`,
    rollouts: `stagecraft.${deployment}.rollouts`,
    progress: `stagecraft.${deployment}.progress`,
  };
  const prompts = `PROMPTS_${deployment}`;
  const rollouts = `ROLLOUTS_${deployment}`;
  return {
    deployment,
    subjects,
    weightsBucket: `weights_${deployment}`,
    bucketOptions: {
      ...(maxBytes === undefined ? {} : { maxBytes }),
      ...(startBytes === undefined ? {} : { startBytes }),
      replicas,
    },
    streams: [
      {
        name: prompts,
        subjects: [subjects.prompts],
        retention: "workqueue",
        discard: "new",
        maxBytes: options.promptsMaxBytes ?? 16 * MIB,
        replicas,
      },
      {
        // Limits, not work queue: deduplication then survives a broker restart, even for acked ones.
        name: rollouts,
        subjects: [subjects.rollouts],
        retention: "limits",
        discard: "new",
        maxBytes: options.rolloutsMaxBytes ?? 256 * MIB,
        maxAgeMs: options.rolloutsMaxAgeMs ?? 7 * DAY_MS,
        replicas,
      },
      ...sharedStreams(replicas),
    ],
    promptsConsumer: {
      stream: prompts,
      durable: "rollout-workers",
      ackWaitMs: options.taskAckWaitMs ?? 10_000,
      maxAckPending: options.tasksMaxAckPending ?? 4096,
    },
    rolloutsConsumer: {
      stream: rollouts,
      durable: "trainer",
      ackWaitMs: options.rolloutAckWaitMs ?? 30_000,
      maxAckPending: options.rolloutsMaxAckPending ?? 65_536,
      maxDeliver: Infinity,
      maxHoldMs: Infinity,
      prefetch: 64,
    },
  };
}

/**
 * Creates streams, consumers and buckets of a deployment, or brings them to these settings; run it as often
 * as you like. Consumers come before any message, so that autoscalers read a lag, not a surprise.
 */
export async function ensureTopology(
  bus: EventBus,
  deployment: string | Topology,
  options: TopologyOptions = {},
): Promise<Topology> {
  const topology =
    typeof deployment === "string" ? deploymentTopology(deployment, options) : deployment;
  await setUpTopology(bus, topology);
  return topology;
}

/** A stream, consumer or bucket, and what it took to bring it to its settings. */
export interface TopologyPart {
  kind: "stream" | "consumer" | "bucket";
  name: string;
  outcome: Ensured;
}

/**
 * `ensureTopology`, part by part. Throws `unavailable` when something has to be created and this user
 * may not: it will be there once somebody has set it up who may.
 */
export async function setUpTopology(bus: EventBus, topology: Topology): Promise<TopologyPart[]> {
  try {
    return await setUpParts(bus, topology);
  } catch (thrown) {
    const error = StagecraftError.from(thrown);
    if (error.code !== "permission_denied") throw error;
    const reason = `${error.reason}; this user may not create it: let an admin run "stagecraft nats setup"`;
    throw new StagecraftError("unavailable", reason, { cause: error });
  }
}

async function setUpParts(bus: EventBus, topology: Topology): Promise<TopologyPart[]> {
  const parts: TopologyPart[] = [];
  for (const stream of topology.streams) {
    parts.push({ kind: "stream", name: stream.name, outcome: await bus.ensureStream(stream) });
  }
  for (const consumer of [topology.promptsConsumer, topology.rolloutsConsumer]) {
    const name = `${consumer.stream}/${consumer.durable}`;
    parts.push({ kind: "consumer", name, outcome: await bus.ensureConsumer(consumer) });
  }
  const { weightsBucket: name, bucketOptions } = topology;
  parts.push({ kind: "bucket", name, outcome: await bus.ensureBucket(name, bucketOptions) });
  return parts;
}

/** Removes the streams of one deployment; dead letters stay. */
export async function deleteTopology(bus: EventBus, topology: Topology): Promise<void> {
  const shared = new Set(sharedStreams(1).map(({ name }) => name));
  const own = topology.streams.map(({ name }) => name).filter((name) => !shared.has(name));
  const { weightsBucket } = topology;
  for (const stream of [...own, `KV_${weightsBucket}`, `OBJ_${weightsBucket}`]) {
    await bus.deleteStream(stream);
  }
}

function sharedStreams(replicas: number): StreamSpec[] {
  return [
    {
      // Old ones go first: a full store of dead letters must not keep poison in the queues.
      name: DEAD_STREAM,
      subjects: [`${DEAD_PREFIX}>`],
      retention: "limits",
      discard: "old",
      maxBytes: 64 * MIB,
      replicas,
    },
    {
      name: "CANARY",
      subjects: [CANARY_SUBJECT],
      retention: "limits",
      discard: "old",
      maxBytes: MIB,
      maxMessages: 1,
      replicas,
    },
  ];
}
