import { setMaxListeners } from "node:events";
import { settlementFor, type BusMessage, type Consumer } from "@stagecraft/bus";
import {
  decodeMessage,
  events,
  parsePromptTask,
  type ParsedPromptTask,
} from "@stagecraft/contracts";
import { isCancelled, StagecraftError } from "@stagecraft/core";
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
  private readonly inFlight = new Set<Promise<void>>();
  private stopPulling = new AbortController();
  private giveUp = new AbortController();
  private pulling: Promise<void>;
  private consumer: Consumer;
  private wakePuller = () => {};
  private draining: Promise<void> | undefined;
  private drained = false;
  private concurrency: number;
  private readonly counts = { numCompleted: 0, numRetried: 0, numDead: 0 };
  private lastError = "";

  constructor(private readonly options: WorkerOptions) {
    this.logger = options.logger ?? silentLogger();
    this.concurrency = options.concurrency;
    this.consumer = options.consumer;
    setMaxListeners(0, this.giveUp.signal); // one for each call in flight
    const inFlight = options.metrics?.gauge(METRICS.rolloutInFlight);
    options.metrics?.onScrape(() => inFlight?.set({}, this.inFlight.size));
    this.pulling = this.pull();
  }

  status(): WorkerStatus {
    const state = this.drained ? "drained" : this.draining ? "draining" : "running";
    const { concurrency, counts, lastError } = this;
    return { state, numInFlight: this.inFlight.size, concurrency, lastError, ...counts };
  }

  setConcurrency(concurrency: number): number {
    const previous = this.concurrency;
    this.concurrency = concurrency;
    this.wakePuller();
    return previous;
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
    this.consumer = consumer;
    this.stopPulling = new AbortController();
    this.giveUp = new AbortController();
    setMaxListeners(0, this.giveUp.signal);
    this.draining = undefined;
    this.drained = false;
    this.pulling = this.pull();
    return { wasDrained: true };
  }

  private async finish(): Promise<void> {
    this.stopPulling.abort();
    this.wakePuller();
    await this.pulling;
    await this.consumer.close();
    await Promise.all(this.inFlight);
    this.drained = true;
  }

  private async pull(): Promise<void> {
    const { signal } = this.stopPulling;
    while (!signal.aborted) {
      if (this.inFlight.size >= this.concurrency) {
        await new Promise<void>((wake) => (this.wakePuller = wake));
        continue;
      }
      const message = await this.next(signal);
      if (!message) return;
      const work = this.handle(message).finally(() => {
        this.inFlight.delete(work);
        this.wakePuller();
      });
      this.inFlight.add(work);
    }
  }

  private async next(signal: AbortSignal): Promise<BusMessage | undefined> {
    try {
      return await this.consumer.next(signal);
    } catch (error) {
      if (!isCancelled(error)) this.logger.error({ err: error }, "no more tasks from the bus");
      return undefined;
    }
  }

  /** Settles the message, whatever happens. */
  private async handle(message: BusMessage): Promise<void> {
    let logger = this.logger.child({ messageId: message.id, delivery: message.delivery });
    let asked: events.PromptTask | undefined;
    try {
      asked = decodeMessage(events.PromptTask, message.data, "prompt task");
      const task = parsePromptTask(asked);
      const { runId, taskId } = task;
      logger = logger.child({ runId, taskId, rolloutId: rolloutIdOf(taskId) });
      await this.answer(task, message);
      await message.ack();
      this.counts.numCompleted++;
      this.count("published");
      logger.debug("rollout is published");
    } catch (thrown) {
      const error = StagecraftError.from(thrown);
      await this.settleFailed(message, error, { asked, logger }).catch((failure: unknown) => {
        // Not settled: the bus delivers it again after its ack wait.
        logger.warn({ err: failure }, "task could not be settled");
      });
    }
  }

  /** One span from the task's arrival to the stored rollout, in the trace that the task came with. */
  private answer(task: ParsedPromptTask, message: BusMessage): Promise<void> {
    const { runId, taskId, attempt } = task;
    const attributes = {
      "stagecraft.run.id": runId,
      "stagecraft.task.id": taskId,
      "stagecraft.task.attempt": attempt,
    };
    const parent = contextFromHeaders(task);
    return withSpan("rollout", { kind: "consumer", parent, attributes }, async ({ context }) => {
      const rollout = await this.options.process(task, this.giveUp.signal, context);
      await this.options.publish(rollout, message, context);
    });
  }

  private count(outcome: "published" | "retried" | "failed"): void {
    this.options.metrics?.counter(METRICS.rolloutsFinished).add({ outcome });
  }

  private async settleFailed(
    message: BusMessage,
    error: StagecraftError,
    { asked, logger }: { asked: events.PromptTask | undefined; logger: Logger },
  ): Promise<void> {
    if (this.giveUp.signal.aborted) return message.nak();
    this.lastError = error.message;
    const settlement = settlementFor(error, message.delivery, Math.random());
    const isGivenUp = settlement.kind === "term";
    if (asked && (isGivenUp || message.delivery === TELL_AT_DELIVERY)) {
      const { code, reason } = error;
      const failure = { code, reason, attempt: asked.attempt, willRetry: !isGivenUp };
      await this.options.publishFailure(asked, failure, message);
    }
    if (settlement.kind === "term") {
      this.counts.numDead++;
      this.count("failed");
      logger.error({ err: error }, "task is given up");
      return message.term(settlement.reason);
    }
    this.counts.numRetried++;
    this.count("retried");
    logger.warn({ err: error }, "task goes back to the queue");
    return message.nak(settlement.delayMs);
  }
}
