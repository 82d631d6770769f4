import { randomUUID } from "node:crypto";
import { setMaxListeners } from "node:events";
import {
  ensureTopology,
  type Consumer,
  type EventBus,
  type Lease,
  type Topology,
} from "@stagecraft/bus";
import type { TensorMap } from "@stagecraft/checkpoint";
import { events, type ParsedRollout, type ParsedTaskFailure } from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import type {
  PpoPlanes,
  PromptTask,
  PublishedWeights,
  RolloutCheck,
  RolloutSample,
} from "@stagecraft/ppo";
import { silentReporter, type StagePhase, type StageReporter } from "@stagecraft/runs";
import {
  headersFromContext,
  METRICS,
  silentLogger,
  type Logger,
  type Metrics,
} from "@stagecraft/telemetry";
import {
  openAnnouncements,
  type Announcements,
  type WeightManifest,
  type WeightStore,
} from "@stagecraft/weights";
import { openRolloutInbox, type RolloutInbox } from "./rollout-inbox.js";
import { createRolloutTrim, type RolloutTrim } from "./rollout-trim.js";
import { startStallWatch, type StallWatch } from "./stall-watch.js";
import { cannotBeDone, createWaitReport } from "./task-failures.js";
import { toEvent } from "./task-event.js";
import { createTaskTraces, type TaskTraces } from "./task-traces.js";
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
  metrics?: Metrics;
  /** Between looks whether open tasks are lost; default 3 s. */
  stallEveryMs?: number;
  /** Rollouts that stay in the stream after they were learnt from; default 1024. */
  keepRollouts?: number;
  /** Told what the run waits for. */
  reporter?: Pick<StageReporter, "warn">;
  /** Asked before anything is published; without one this process is the only trainer. */
  lease?: Lease | undefined;
  logger?: Logger;
}

/** PPO's planes with an end. */
export interface BusPlanes extends Required<PpoPlanes> {
  /** Spans an update in the trace of what it learns from. */
  onPhase(phase: StagePhase): () => void;
  /** Call when the stage has ended; `finished` when no checkpoint will ask for the rollouts again. */
  close(options: { finished: boolean }): Promise<void>;
}

interface OpenTask {
  task: PromptTask;
  problemOf: RolloutCheck;
  attempt: number;
  arrived: boolean;
  /** What workers told of attempts that they gave up. */
  failures: ParsedTaskFailure[];
}

/** Tasks and rollouts over the bus, weights through the store with an announcement on the bus. */
export async function createBusPlanes(options: BusPlanesOptions): Promise<BusPlanes> {
  const { bus, topology } = options;
  await ensureTopology(bus, topology);
  const latest = await options.store.latest();
  const announcements = await openAnnouncements(options);
  const consumer = await bus.consume(topology.rolloutsConsumer);
  return new RunPlanes(options, {
    consumer,
    announcements,
    lastPublished: latest?.version ?? 0,
  });
}

/**
 * PPO counts versions by its updates and counts anew after a resumption; what travels is a number
 * that only grows within a deployment, so that a sampler never takes old weights for new ones. The
 * hash ties the two together: rollouts of equal weights stay good across a restart.
 */
class RunPlanes implements BusPlanes {
  /** Hash of the weights → PPO's version. */
  private readonly versionOfHash = new Map<string, number>();
  /** PPO's version → the number that travels. */
  private readonly published = new Map<number, number>();
  private lastPublished: number;
  private readonly open = new Map<string, OpenTask>();
  /** Tells the messages of this process from those of one that died within the broker's memory. */
  private readonly incarnation: string;
  private readonly announcements: Announcements;
  private readonly inbox: RolloutInbox;
  private readonly trim: RolloutTrim;
  private readonly stall: StallWatch;
  private numRepeats = 0;
  /** Ends the waiting when it is in vain; the run goes on from its checkpoint. */
  private readonly failed = new AbortController();
  private readonly traces: TaskTraces;
  private readonly logger: Logger;
  private readonly waitReport: ReturnType<typeof createWaitReport>;

  constructor(
    private readonly options: BusPlanesOptions,
    start: { consumer: Consumer; announcements: Announcements; lastPublished: number },
  ) {
    const { consumer, announcements } = start;
    this.lastPublished = start.lastPublished;
    this.announcements = announcements;
    this.incarnation = `${options.lease?.epoch ?? 0}-${randomUUID().slice(0, 8)}`;
    this.logger = (options.logger ?? silentLogger()).child({ runId: options.runId });
    this.traces = createTaskTraces(options.runId);
    const reporter = options.reporter ?? silentReporter();
    this.waitReport = createWaitReport(reporter);
    const { bus, topology, keepRollouts: keep = 1024 } = options;
    this.trim = createRolloutTrim({ bus, topology, keep, logger: this.logger });
    this.stall = startStallWatch({
      bus,
      topology,
      numOpen: () => this.waiting().length,
      onLost: () => void this.onStoreLost(),
      ...(options.stallEveryMs !== undefined && { everyMs: options.stallEveryMs }),
      onWaiting: (message) => reporter.warn(message),
      logger: this.logger,
    });
    this.inbox = openRolloutInbox({
      consumer,
      runId: options.runId,
      problemOf: (rollout) => this.problemOf(rollout),
      onOutcome: (outcome) => options.metrics?.counter(METRICS.trainerRollouts).add({ outcome }),
      onRefused: (reason, taskId) => this.askAgain(taskId, reason),
      onFailure: (failure) => this.taskFailed(failure),
      onSettled: () => void this.trim.settled(),
      logger: this.logger,
    });
  }

  async publishWeights(...[version, tensors, step]: Parameters<PpoPlanes["publishWeights"]>) {
    const { store, runId, keepWeights, lease } = this.options;
    await lease?.confirm();
    const manifest = await this.store(tensors, step);
    const { sha256, sizeBytes, version: number } = manifest;
    this.versionOfHash.set(sha256, version);
    this.published.set(version, number);
    const weights = { version: number, sha256, step: BigInt(step), sizeBytes: BigInt(sizeBytes) };
    const event = events.WeightsPublished.encode({ runId, weights, createdAt: new Date() });
    await this.announcements.announce(event.finish());
    this.options.metrics?.gauge(METRICS.trainerWeightVersion).set({}, number);
    await store.prune(keepWeights);
    return { sha256 };
  }

  onPhase({ name, rolloutIds }: StagePhase): () => void {
    if (name !== "update") return () => undefined;
    const step = this.traces.openStep(rolloutIds);
    return () => step.end();
  }

  /** Under the next free number: one that another trainer took meanwhile is passed over. */
  private async store(...[tensors, step]: [TensorMap, number]): Promise<WeightManifest> {
    for (;;) {
      try {
        return await this.options.store.publish(++this.lastPublished, tensors, { step });
      } catch (thrown) {
        if (StagecraftError.from(thrown).code !== "already_exists") throw thrown;
        await this.options.lease?.confirm();
      }
    }
  }

  /** Rollouts of these weights, sampled before a restart, are still taken. */
  recall(weights: readonly PublishedWeights[]): void {
    for (const { sha256, version } of weights) this.versionOfHash.set(sha256, version);
  }

  async collect(...[tasks, stopped, problemOf]: Parameters<PpoPlanes["collect"]>) {
    const signal = AbortSignal.any([stopped, this.failed.signal]);
    setMaxListeners(0, signal); // some for each task
    for (const task of tasks) {
      this.open.set(task.taskId, { task, problemOf, attempt: 0, arrived: false, failures: [] });
    }
    const batch = this.traces.openBatch(tasks.map(({ taskId }) => taskId));
    try {
      const arrivals = tasks.map(({ taskId }) => this.arrival(taskId, signal));
      const published = Promise.all(tasks.map(({ taskId }) => this.publish(taskId, { signal })));
      const [rollouts] = await Promise.all([Promise.all(arrivals), published]);
      return rollouts.map((rollout) => this.toSample(rollout));
    } catch (thrown) {
      throw this.failed.signal.aborted ? this.failed.signal.reason : thrown;
    } finally {
      batch.end();
      for (const { taskId } of tasks) {
        this.open.delete(taskId);
        this.inbox.forget(taskId);
      }
    }
  }

  async acknowledge(rolloutIds: string[]): Promise<void> {
    this.traces.forget(rolloutIds);
    await this.inbox.acknowledge(rolloutIds);
    await this.trim.settled();
  }

  async close({ finished }: { finished: boolean }): Promise<void> {
    this.stall.close();
    if (finished) await this.inbox.acknowledgeAll();
    await this.inbox.close();
  }

  /** Publishes the next attempt of a task. */
  private async publish(
    taskId: string,
    { signal, isRepeat = false }: { signal?: AbortSignal; isRepeat?: boolean } = {},
  ): Promise<void> {
    const entry = this.open.get(taskId);
    if (!entry) return;
    if (!isRepeat) entry.attempt++;
    await this.options.lease?.confirm(signal ? { signal } : {});
    const { runId, bus, topology } = this.options;
    const minWeightVersion = this.published.get(entry.task.minWeightVersion) ?? this.lastPublished;
    const { attempt } = entry;
    const trace = this.traces.contextOf(taskId);
    const { traceparent = "" } = trace ? headersFromContext(trace) : {};
    const event = toEvent(entry.task, { runId, attempt, minWeightVersion, traceparent });
    const repeat = isRepeat ? `/${++this.numRepeats}` : "";
    const id = `${runId}/${taskId}/${attempt}/${this.incarnation}${repeat}`;
    const bytes = events.PromptTask.encode(event).finish();
    await bus.publish(topology.subjects.prompts, bytes, {
      id,
      ...(trace ? { trace } : {}),
      ...(signal ? { signal } : {}),
    });
  }

  /** The rollout of a task; asks again each time it does not come in time. */
  private async arrival(taskId: string, signal: AbortSignal): Promise<ParsedRollout> {
    const { taskTimeoutMs, maxAttempts } = this.options;
    const arriving = this.inbox.take(taskId);
    for (let round = 0; round < maxAttempts; round++) {
      const rollout = await withinTime(arriving, taskTimeoutMs, signal);
      if (rollout) {
        this.arrived(taskId);
        this.traces.arrived(rollout);
        return rollout;
      }
      this.askAgain(taskId, `no rollout within ${taskTimeoutMs} ms`);
    }
    throw noRollout(taskId, maxAttempts);
  }

  private arrived(taskId: string): void {
    this.stall.moved();
    const entry = this.open.get(taskId);
    if (entry) entry.arrived = true;
  }

  private waiting(): string[] {
    return [...this.open].flatMap(([taskId, { arrived }]) => (arrived ? [] : [taskId]));
  }

  /** The broker forgot open tasks, and perhaps more: it may have started with an empty store. */
  private async onStoreLost(): Promise<void> {
    try {
      await this.announcements.restore();
      const latest = await this.options.store.latest();
      if (this.published.size > 0 && (latest?.version ?? 0) < this.lastPublished) {
        return this.failed.abort(weightsLost(this.lastPublished));
      }
    } catch (thrown) {
      this.logger.warn({ err: thrown }, "what the broker lost is not restored yet");
    }
    this.askLostAgain();
  }

  /** What a killed broker forgot is no failed attempt. */
  private askLostAgain(): void {
    for (const taskId of this.waiting()) {
      this.publish(taskId, { isRepeat: true }).catch((error: unknown) => {
        this.logger.error({ err: error, taskId }, "task could not be published again");
      });
    }
  }

  private askAgain(taskId: string | undefined, reason: string): void {
    const entry = taskId === undefined ? undefined : this.open.get(taskId);
    if (!entry || taskId === undefined || entry.attempt >= this.options.maxAttempts) return;
    this.logger.warn({ taskId, attempt: entry.attempt + 1, reason }, "task is published again");
    this.publish(taskId).catch((error: unknown) => {
      this.logger.error({ err: error, taskId }, "task could not be published again");
    });
  }

  /**
   * A worker has no rollout to give. What may pass is waited for; an attempt that was given up is
   * followed by the next, and after the last the run ends with the cause.
   */
  private taskFailed(failure: ParsedTaskFailure): void {
    const { taskId, attempt, code, reason, willRetry } = failure;
    const entry = this.open.get(taskId);
    if (!entry || entry.arrived || attempt !== entry.attempt) return;
    if (willRetry) return this.waitReport.tell(failure, entry.task);
    this.stall.moved();
    entry.failures.push(failure);
    if (attempt < this.options.maxAttempts) return this.askAgain(taskId, `[${code}] ${reason}`);
    this.inbox.forget(taskId, cannotBeDone(entry.task, entry.failures));
  }

  /** What a rollout must not be, beyond what can be seen from itself. */
  private problemOf(rollout: ParsedRollout): string | undefined {
    const { rolloutId, taskId } = rollout;
    // Or one rollout could be learnt from under the ids of two tasks, or stand in another's way.
    if (!rolloutId.startsWith(`${taskId}/`)) {
      return `its id ${rolloutId} is not made from its task ${taskId}`;
    }
    const entry = this.open.get(taskId);
    // From before a restart; looked at again when its task and its weights are known.
    if (!entry) return undefined;
    const unknown = rollout.weights.find(({ sha256 }) => !this.versionOfHash.has(sha256));
    if (unknown) {
      return `sampled with weights ${unknown.version} (sha256 ${unknown.sha256.slice(0, 12) || "none"}), which this run did not publish`;
    }
    const sample = this.toSample(rollout);
    return staleness(sample, entry.task) ?? entry.problemOf(sample, entry.task);
  }

  /** PPO's version of each token. Every version is listed with its hash: parseRollout saw to it. */
  private versionsOf({ weightVersions, weights }: ParsedRollout): Int32Array {
    const hashes = new Map(weights.map((w) => [w.version, w.sha256]));
    return weightVersions.map((number) => this.versionOfHash.get(hashes.get(number)!) ?? -1);
  }

  private toSample(rollout: ParsedRollout): RolloutSample {
    const lastVersion = rollout.weightVersions.at(-1)!;
    const { sha256 = "" } = rollout.weights.find((w) => w.version === lastVersion) ?? {};
    const { rolloutId, taskId, promptIds, responseIds, logProbs } = rollout;
    return {
      rolloutId,
      taskId,
      promptIds,
      responseIds,
      logProbs,
      weightVersions: this.versionsOf(rollout),
      finishReason: rollout.finishReason,
      score: rollout.score,
      rewardModelVersion: rollout.rewardModelVersion,
      weightsHash: sha256,
      ...(Object.keys(rollout.extraScores).length > 0 ? { extraScores: rollout.extraScores } : {}),
    };
  }
}

function staleness(sample: RolloutSample, { minWeightVersion }: PromptTask): string | undefined {
  const stale = sample.weightVersions.find((version) => version < minWeightVersion);
  if (stale === undefined) return undefined;
  return `sampled with weights of update ${stale}, the task wants ${minWeightVersion} or newer`;
}

function weightsLost(version: number): StagecraftError {
  return new StagecraftError(
    "unavailable",
    `weights ${version} are gone from the weight store; they are published again from the last checkpoint`,
    { details: { version } },
  );
}

function noRollout(taskId: string, maxAttempts: number): StagecraftError {
  return new StagecraftError(
    "deadline_exceeded",
    `task ${taskId} got no good rollout in ${maxAttempts} attempts; look at the dead letters and at the rollout workers`,
    { details: { taskId } },
  );
}
