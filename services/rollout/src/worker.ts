import { setMaxListeners } from "node:events";
import {
  handleMessages,
  type BusMessage,
  type Consumer,
  type FailedMessage,
  type MessageHandling,
} from "@stagecraft/bus";
import {
  decodeMessage,
  events,
  parsePromptTask,
  type ParsedPromptTask,
} from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import {
  contextFromHeaders,
  METRICS,
  silentLogger,
  withSpan,
  type Logger,
  type Metrics,
  type TraceContext,
} from "@stagecraft/telemetry";
import { rolloutIdOf } from "./process-task.js";

export interface WorkerOptions {
  /** Prompt tasks. Closed by the worker. */
  consumer: Consumer;
  /** Samples and scores one answer, within the span given. */
  process(
    task: ParsedPromptTask,
    signal: AbortSignal,
    trace: TraceContext,
  ): Promise<events.Rollout>;
  /** Resolves when the bus has stored the rollout that answers a message. */
  publish(rollout: events.Rollout, message: BusMessage, trace: TraceContext): Promise<void>;
  /** Tells the trainer why there is no rollout; resolves when the bus has stored it. */
  publishFailure(
    task: events.PromptTask,
    failure: events.TaskFailure,
    message: BusMessage,
  ): Promise<void>;
  /** Tasks in flight at once. */
  concurrency: number;
  logger?: Logger;
  metrics?: Metrics;
}

export interface WorkerStatus {
  state: "running" | "draining" | "drained";
  numInFlight: number;
  concurrency: number;
  numCompleted: number;
  numRetried: number;
  numDead: number;
  /** Empty if nothing failed yet. */
  lastError: string;
}

/** Takes prompt tasks from the bus until it is drained. Keeps nothing between tasks. */
export interface Worker {
  status(): WorkerStatus;
  /** Returns the concurrency before. */
  setConcurrency(concurrency: number): number;
  /** Takes no new task and waits for those in flight; the signal gives those up, to be redone. */
  drain(signal?: AbortSignal): Promise<{ numFinished: number }>;
  /**
   * Takes tasks again, from a new consumer, after the drain has ended; says whether there was one. Does
   * nothing while it runs.
   */
  resume(consume: () => Promise<Consumer>): Promise<{ wasDrained: boolean }>;
}

/** A failure that may pass is told the trainer when it did not pass at once. */
const TELL_AT_DELIVERY = 3;

/** Starts taking tasks at once. */
export function startWorker(options: WorkerOptions): Worker {
  return new RolloutWorker(options);
}

class RolloutWorker implements Worker {
  private readonly logger: Logger;
  private handling: MessageHandling;
  private giveUp = new AbortController();
  private draining: Promise<void> | undefined;
  private drained = false;
  private concurrency: number;
  private readonly counts = { numCompleted: 0, numRetried: 0, numDead: 0 };
  private lastError = "";

  constructor(private readonly options: WorkerOptions) {
    this.logger = options.logger ?? silentLogger();
    this.concurrency = options.concurrency;
    const inFlight = options.metrics?.gauge(METRICS.rolloutInFlight);
    options.metrics?.onScrape(() => inFlight?.set({}, this.handling.numInFlight));
    this.handling = this.start(options.consumer);
  }

  status(): WorkerStatus {
    const state = this.drained ? "drained" : this.draining ? "draining" : "running";
    const { concurrency, counts, lastError } = this;
    return { state, numInFlight: this.handling.numInFlight, concurrency, lastError, ...counts };
  }

  setConcurrency(concurrency: number): number {
    this.concurrency = concurrency;
    return this.handling.setConcurrency(concurrency);
  }

  async drain(signal?: AbortSignal): Promise<{ numFinished: number }> {
    const before = this.counts.numCompleted;
    const onAbort = () => this.giveUp.abort(signal?.reason);
    if (signal?.aborted) onAbort();
    signal?.addEventListener("abort", onAbort, { once: true });
    await (this.draining ??= this.finish());
    signal?.removeEventListener("abort", onAbort);
    return { numFinished: this.counts.numCompleted - before };
  }

  async resume(consume: () => Promise<Consumer>): Promise<{ wasDrained: boolean }> {
    const ended = this.draining;
    if (!ended) return { wasDrained: false };
    await ended;
    const consumer = await consume();
    if (this.draining !== ended) {
      await consumer.close(); // another call was faster
      return { wasDrained: true };
    }
    this.giveUp = new AbortController();
    this.draining = undefined;
    this.drained = false;
    this.handling = this.start(consumer);
    return { wasDrained: true };
  }

  private start(consumer: Consumer): MessageHandling {
    setMaxListeners(0, this.giveUp.signal); // one for each call in flight
    const { concurrency, logger } = this;
    const asked = new WeakMap<BusMessage, AskedTask>();
    return handleMessages({
      consumer,
      concurrency,
      logger,
      handle: (message) => this.answer(message, (task) => void asked.set(message, task)),
      onHandled: (message) => this.answered(message, asked.get(message)),
      onFailure: (failed) => this.failed(failed, asked.get(failed.message)),
    });
  }

  private async finish(): Promise<void> {
    await this.handling.stop();
    this.drained = true;
  }

  /** One span from the task's arrival to the stored rollout, in the trace that the task came with. */
  private async answer(message: BusMessage, onRead: (task: AskedTask) => void): Promise<void> {
    const asked = decodeMessage(events.PromptTask, message.data, "prompt task");
    onRead(asked);
    const task = parsePromptTask(asked);
    const { runId, taskId, attempt } = task;
    const attributes = {
      "stagecraft.run.id": runId,
      "stagecraft.task.id": taskId,
      "stagecraft.task.attempt": attempt,
    };
    const parent = contextFromHeaders(task);
    const { signal } = this.giveUp;
    try {
      await withSpan("rollout", { kind: "consumer", parent, attributes }, async ({ context }) => {
        const rollout = await this.options.process(task, signal, context);
        await this.options.publish(rollout, message, context);
      });
    } catch (thrown) {
      throw signal.aborted ? new StagecraftError("cancelled", "given up by a drain") : thrown;
    }
  }

  private answered(message: BusMessage, asked: AskedTask | undefined): void {
    this.counts.numCompleted++;
    this.count("published");
    this.loggerOf(message, asked).debug("rollout is published");
  }

  private async failed(
    { message, error, settlement }: FailedMessage,
    asked: AskedTask | undefined,
  ): Promise<void> {
    if (this.giveUp.signal.aborted) return; // nobody failed
    this.lastError = error.message;
    const isGivenUp = settlement.kind === "term";
    if (asked && (isGivenUp || message.delivery === TELL_AT_DELIVERY)) {
      const { code, reason } = error;
      const failure = { code, reason, attempt: asked.attempt, willRetry: !isGivenUp };
      await this.options.publishFailure(asked, failure, message);
    }
    const logger = this.loggerOf(message, asked);
    if (isGivenUp) {
      this.counts.numDead++;
      this.count("failed");
      logger.error({ err: error }, "task is given up");
    } else {
      this.counts.numRetried++;
      this.count("retried");
      logger.warn({ err: error }, "task goes back to the queue");
    }
  }

  private count(outcome: "published" | "retried" | "failed"): void {
    this.options.metrics?.counter(METRICS.rolloutsFinished).add({ outcome });
  }

  private loggerOf({ id: messageId, delivery }: BusMessage, asked: AskedTask | undefined): Logger {
    const { runId, taskId } = asked ?? {};
    const rolloutId = taskId && rolloutIdOf(taskId);
    return this.logger.child({ messageId, delivery, ...(asked && { runId, taskId, rolloutId }) });
  }
}

/** A task as it came; it may not hold what it should. */
type AskedTask = events.PromptTask;
