import { setMaxListeners } from "node:events";
import type { Consumer, EventBus, Lease, Topology } from "@stagecraft/bus";
import type { ParsedRollout, ParsedTaskFailure } from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import type { RolloutSource } from "@stagecraft/ppo";
import { silentReporter, type StagePhase, type StageReporter } from "@stagecraft/runs";
import { METRICS, silentLogger, type Logger, type Metrics } from "@stagecraft/telemetry";
import type { BusWeightPublisher } from "@stagecraft/weights";
import { createOpenTasks, type OpenTasks } from "./open-tasks.js";
import { openRolloutInbox, type RolloutInbox } from "./rollout-inbox.js";
import { toSample } from "./rollout-sample.js";
import { createRolloutTrim, type RolloutTrim } from "./rollout-trim.js";
import { startStallWatch, type StallWatch } from "./stall-watch.js";
import { cannotBeDone, createWaitReport } from "./task-failures.js";
import { createTaskTraces, type TaskTraces } from "./task-traces.js";
import { withinTime } from "./within-time.js";

export interface BusRolloutsOptions {
  /** Written into every task; rollouts of another run are not taken. */
  runId: string;
  bus: EventBus;
  /** Where the rollout workers of this deployment work. */
  topology: Topology;
  /** Asked to say its last word again when the broker has lost its store. */
  weights: Pick<BusWeightPublisher, "restore">;
  /** A task without a rollout for so long is published again. */
  taskTimeoutMs: number;
  /** Times a task is published before the run fails. */
  maxAttempts: number;
  metrics?: Metrics | undefined;
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

/** A source of rollouts with an end. */
export interface BusRollouts extends Required<RolloutSource> {
  /** Spans an update in the trace of what it learns from. */
  onPhase(phase: StagePhase): () => void;
  /** Call when the stage has ended; `finished` when no checkpoint will ask for the rollouts again. */
  close(options: { finished: boolean }): Promise<void>;
}

/** Tasks and rollouts over the bus, whose topology is there. */
export async function createBusRollouts(options: BusRolloutsOptions): Promise<BusRollouts> {
  const consumer = await options.bus.consume(options.topology.rolloutsConsumer);
  return new RunRollouts(options, consumer);
}

class RunRollouts implements BusRollouts {
  private readonly tasks: OpenTasks;
  private readonly inbox: RolloutInbox;
  private readonly trim: RolloutTrim;
  private readonly stall: StallWatch;
  private readonly traces: TaskTraces;
  private readonly logger: Logger;
  private readonly waitReport: ReturnType<typeof createWaitReport>;
  /** Ends the waiting when it is in vain; the run goes on from its checkpoint. */
  private readonly failed = new AbortController();

  constructor(
    private readonly options: BusRolloutsOptions,
    consumer: Consumer,
  ) {
    const { runId, bus, topology, keepRollouts: keep = 1024, stallEveryMs: everyMs } = options;
    const { reporter = silentReporter(), metrics } = options;
    const logger = (this.logger = (options.logger ?? silentLogger()).child({ runId }));
    this.traces = createTaskTraces(runId);
    this.tasks = createOpenTasks({ ...options, traces: this.traces, logger });
    this.waitReport = createWaitReport(reporter);
    this.trim = createRolloutTrim({ bus, topology, keep, logger });
    this.stall = startStallWatch({
      bus,
      topology,
      numOpen: () => this.tasks.waiting().length,
      onLost: () => void this.onStoreLost(),
      ...(everyMs !== undefined && { everyMs }),
      onWaiting: (message) => reporter.warn(message),
      logger,
    });
    this.inbox = openRolloutInbox({
      consumer,
      runId,
      problemOf: (rollout) => this.problemOf(rollout),
      onOutcome: (outcome) => metrics?.counter(METRICS.trainerRollouts).add({ outcome }),
      onRefused: (reason, taskId) => taskId !== undefined && this.tasks.askAgain(taskId, reason),
      onFailure: (failure) => this.taskFailed(failure),
      onSettled: () => void this.trim.settled(),
      logger,
    });
  }

  onPhase({ name, rolloutIds }: StagePhase): () => void {
    if (name !== "update") return () => undefined;
    const step = this.traces.openStep(rolloutIds);
    return () => step.end();
  }

  async collect(...[tasks, stopped, problemOf]: Parameters<RolloutSource["collect"]>) {
    const signal = AbortSignal.any([stopped, this.failed.signal]);
    setMaxListeners(0, signal); // some for each task
    this.tasks.add(tasks, problemOf);
    const ids = tasks.map(({ taskId }) => taskId);
    const batch = this.traces.openBatch(ids);
    try {
      const arrivals = ids.map((taskId) => this.arrival(taskId, signal));
      const asked = Promise.all(ids.map((taskId) => this.tasks.ask(taskId, signal)));
      const [rollouts] = await Promise.all([Promise.all(arrivals), asked]);
      return rollouts.map(toSample);
    } catch (thrown) {
      throw this.failed.signal.aborted ? this.failed.signal.reason : thrown;
    } finally {
      batch.end();
      for (const taskId of ids) {
        this.tasks.remove(taskId);
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

  /** The rollout of a task; asks again each time it does not come in time. */
  private async arrival(taskId: string, signal: AbortSignal): Promise<ParsedRollout> {
    const { taskTimeoutMs, maxAttempts } = this.options;
    const arriving = this.inbox.take(taskId);
    for (let round = 0; round < maxAttempts; round++) {
      const rollout = await withinTime(arriving, taskTimeoutMs, signal);
      if (rollout) {
        this.arrived(rollout);
        return rollout;
      }
      this.tasks.askAgain(taskId, `no rollout within ${taskTimeoutMs} ms`);
    }
    throw noRollout(taskId, maxAttempts);
  }

  private arrived(rollout: ParsedRollout): void {
    this.stall.moved();
    const entry = this.tasks.get(rollout.taskId);
    if (entry) entry.arrived = true;
    this.traces.arrived(rollout);
  }

  /** The broker forgot open tasks, and perhaps more: it may have started with an empty store. */
  private async onStoreLost(): Promise<void> {
    try {
      const lost = await this.options.weights.restore();
      if (lost) return this.failed.abort(lost);
    } catch (thrown) {
      this.logger.warn({ err: thrown }, "what the broker lost is not restored yet");
    }
    this.tasks.repeatLost();
  }

  /**
   * A worker has no rollout to give. What may pass is waited for; an attempt that was given up is
   * followed by the next, and after the last the run ends with the cause.
   */
  private taskFailed(failure: ParsedTaskFailure): void {
    const { taskId, attempt, code, reason, willRetry } = failure;
    const entry = this.tasks.get(taskId);
    if (!entry || entry.arrived || attempt !== entry.attempt) return;
    if (willRetry) return this.waitReport.tell(failure, entry.task);
    this.stall.moved();
    entry.failures.push(failure);
    if (attempt < this.options.maxAttempts) {
      return this.tasks.askAgain(taskId, `[${code}] ${reason}`);
    }
    this.inbox.forget(taskId, cannotBeDone(entry.task, entry.failures));
  }

  /** What a rollout must not be, beyond what can be seen from itself. */
  private problemOf(rollout: ParsedRollout): string | undefined {
    const { rolloutId, taskId } = rollout;
    // Or one rollout could be learnt from under the ids of two tasks, or stand in another's way.
    if (!rolloutId.startsWith(`${taskId}/`)) {
      return `its id ${rolloutId} is not made from its task ${taskId}`;
    }
    const entry = this.tasks.get(taskId);
    // From before a restart; looked at again when its task and its weights are known.
    return entry?.problemOf(toSample(rollout), entry.task);
  }
}

function noRollout(taskId: string, maxAttempts: number): StagecraftError {
  return new StagecraftError(
    "deadline_exceeded",
    `task ${taskId} got no good rollout in ${maxAttempts} attempts; look at the dead letters and at the rollout workers`,
    { details: { taskId } },
  );
}
