import { randomUUID } from "node:crypto";
import { ensureTopology, type EventBus, type Topology } from "@stagecraft/bus";
import type { WeightStore } from "@stagecraft/checkpoint";
import {
  events,
  toConversation,
  toSampling,
  toTokens,
  type ParsedRollout,
} from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import type { PpoPlanes, PromptTask, RolloutSample } from "@stagecraft/ppo";
import { silentLogger, type Logger } from "@stagecraft/telemetry";
import { openRolloutInbox, type RolloutInbox } from "./rollout-inbox.js";
import { withinTime } from "./within-time.js";

export interface BusPlanesOptions {
  /** Written into every task; rollouts of another run are not taken. */
  runId: string;
  bus: EventBus;
  /** Where the rollout workers and policies of this deployment meet. */
  topology: Topology;
  store: WeightStore;
  /** Versions kept in the store. */
  keepWeights: number;
  /** A task without a rollout for so long is published again. */
  taskTimeoutMs: number;
  /** Times a task is published before the run fails. */
  maxAttempts: number;
  logger?: Logger;
}

/** PPO's planes with an end. */
export interface BusPlanes extends Required<PpoPlanes> {
  /** Call when the stage has ended; `finished` when no checkpoint will ask for the rollouts again. */
  close(options: { finished: boolean }): Promise<void>;
}

/** Key of the newest announcement in the run's weights bucket. */
export const WEIGHTS_KEY = "weights";

interface OpenTask {
  task: PromptTask;
  attempt: number;
}

/** Tasks and rollouts over the bus, weights through the store with an announcement on the bus. */
export async function createBusPlanes(options: BusPlanesOptions): Promise<BusPlanes> {
  const { bus, topology } = options;
  await ensureTopology(bus, topology);
  return new RunPlanes(options, await bus.consume(topology.rolloutsConsumer));
}

class RunPlanes implements BusPlanes {
  private readonly hashes = new Map<number, string>();
  private readonly open = new Map<string, OpenTask>();
  /** Tells the messages of this process from those of one that died within the broker's memory. */
  private readonly incarnation = randomUUID().slice(0, 8);
  private readonly inbox: RolloutInbox;
  private readonly logger: Logger;

  constructor(
    private readonly options: BusPlanesOptions,
    consumer: Awaited<ReturnType<EventBus["consume"]>>,
  ) {
    this.logger = (options.logger ?? silentLogger()).child({ runId: options.runId });
    this.inbox = openRolloutInbox({
      consumer,
      runId: options.runId,
      problemOf: (rollout) => this.problemOf(rollout),
      onRefused: (reason, taskId) => this.askAgain(taskId, reason),
      logger: this.logger,
    });
  }

  async publishWeights(...[version, tensors, step]: Parameters<PpoPlanes["publishWeights"]>) {
    const { store, bus, topology, runId, keepWeights } = this.options;
    const { sha256, sizeBytes } = await store.publish(version, tensors, { step });
    this.hashes.set(version, sha256);
    const weights = { version, sha256, step: BigInt(step), sizeBytes: BigInt(sizeBytes) };
    const event = events.WeightsPublished.encode({ runId, weights, createdAt: new Date() });
    const bucket = await bus.keyValue(topology.weightsBucket);
    await bucket.put(WEIGHTS_KEY, event.finish());
    await store.prune(keepWeights);
    return { sha256 };
  }

  async collect(tasks: PromptTask[], signal: AbortSignal): Promise<RolloutSample[]> {
    for (const task of tasks) this.open.set(task.taskId, { task, attempt: 0 });
    try {
      const arrivals = tasks.map(({ taskId }) => this.arrival(taskId, signal));
      const published = Promise.all(tasks.map(({ taskId }) => this.publish(taskId, signal)));
      const [rollouts] = await Promise.all([Promise.all(arrivals), published]);
      return rollouts.map((rollout) => this.toSample(rollout));
    } finally {
      for (const { taskId } of tasks) {
        this.open.delete(taskId);
        this.inbox.forget(taskId);
      }
    }
  }

  acknowledge(rolloutIds: string[]): Promise<void> {
    return this.inbox.acknowledge(rolloutIds);
  }

  async close({ finished }: { finished: boolean }): Promise<void> {
    if (finished) await this.inbox.acknowledgeTaken();
    await this.inbox.close();
  }

  /** Publishes the next attempt of a task. */
  private async publish(taskId: string, signal?: AbortSignal): Promise<void> {
    const entry = this.open.get(taskId);
    if (!entry) return;
    entry.attempt++;
    const { runId, bus, topology } = this.options;
    const event = toEvent(entry.task, runId, entry.attempt);
    const id = `${runId}/${taskId}/${entry.attempt}/${this.incarnation}`;
    const bytes = events.PromptTask.encode(event).finish();
    await bus.publish(topology.subjects.prompts, bytes, { id, ...(signal ? { signal } : {}) });
  }

  /** The rollout of a task; asks again each time it does not come in time. */
  private async arrival(taskId: string, signal: AbortSignal): Promise<ParsedRollout> {
    const { taskTimeoutMs, maxAttempts } = this.options;
    const arriving = this.inbox.take(taskId);
    for (let round = 0; round < maxAttempts; round++) {
      const rollout = await withinTime(arriving, taskTimeoutMs, signal);
      if (rollout) return rollout;
      this.askAgain(taskId, `no rollout within ${taskTimeoutMs} ms`);
    }
    throw noRollout(taskId, maxAttempts);
  }

  private askAgain(taskId: string | undefined, reason: string): void {
    const entry = taskId === undefined ? undefined : this.open.get(taskId);
    if (!entry || taskId === undefined || entry.attempt >= this.options.maxAttempts) return;
    this.logger.warn({ taskId, attempt: entry.attempt + 1, reason }, "task is published again");
    this.publish(taskId).catch((error: unknown) => {
      this.logger.error({ err: error, taskId }, "task could not be published again");
    });
  }

  /** What a rollout must not be, beyond what can be seen from itself. */
  private problemOf(rollout: ParsedRollout): string | undefined {
    for (const { version, sha256 } of rollout.weights) {
      const expected = this.hashes.get(version);
      if (expected !== undefined && expected !== sha256) {
        return `weights ${version} have sha256 ${sha256.slice(0, 12)}…, published was ${expected.slice(0, 12)}…`;
      }
    }
    const task = this.open.get(rollout.taskId)?.task;
    return task && taskProblem(rollout, task, this.newestVersion());
  }

  private newestVersion(): number {
    return Math.max(0, ...this.hashes.keys());
  }

  private toSample(rollout: ParsedRollout): RolloutSample {
    const lastVersion = rollout.weightVersions.at(-1)!;
    const { sha256 = "" } = rollout.weights.find((w) => w.version === lastVersion) ?? {};
    const { rolloutId, taskId, promptIds, responseIds, logProbs, weightVersions } = rollout;
    return {
      rolloutId,
      taskId,
      promptIds,
      responseIds,
      logProbs,
      weightVersions,
      finishReason: rollout.finishReason,
      score: rollout.score,
      rewardModelVersion: rollout.rewardModelVersion,
      weightsHash: sha256,
      ...(Object.keys(rollout.extraScores).length > 0 ? { extraScores: rollout.extraScores } : {}),
    };
  }
}

function taskProblem(
  { promptIds, responseIds, weightVersions }: ParsedRollout,
  task: PromptTask,
  newestVersion: number,
): string | undefined {
  if (
    promptIds.length !== task.promptIds.length ||
    promptIds.some((id, i) => id !== task.promptIds[i])
  ) {
    return "its prompt is not the task's";
  }
  if (responseIds.length > task.sampling.maxNewTokens) {
    return `response has ${responseIds.length} tokens, the task allows ${task.sampling.maxNewTokens}`;
  }
  const wrong = weightVersions.find((v) => v < task.minWeightVersion || v > newestVersion);
  if (wrong === undefined) return undefined;
  return `sampled with weights ${wrong}, must be from ${task.minWeightVersion} to ${newestVersion}`;
}

function toEvent(task: PromptTask, runId: string, attempt: number): events.PromptTask {
  return {
    taskId: task.taskId,
    runId,
    promptId: task.promptId,
    conversation: toConversation(task.messages),
    prompt: toTokens(task.promptIds),
    sampling: toSampling(task.sampling),
    minWeightVersion: task.minWeightVersion,
    createdAt: new Date(),
    traceparent: "",
    attempt,
  };
}

function noRollout(taskId: string, maxAttempts: number): StagecraftError {
  return new StagecraftError(
    "deadline_exceeded",
    `task ${taskId} got no good rollout in ${maxAttempts} attempts; look at the dead letters and at the rollout workers`,
    { details: { taskId } },
  );
}
