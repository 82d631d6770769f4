import { setMaxListeners } from "node:events";
import { settlementFor, type BusMessage, type Consumer } from "@stagecraft/bus";
import {
  decodeMessage,
  events,
  parsePromptTask,
  type ParsedPromptTask,
} from "@stagecraft/contracts";
import { isCancelled, StagecraftError } from "@stagecraft/core";
import { silentLogger, type Logger } from "@stagecraft/telemetry";

export interface WorkerOptions {
  /** Prompt tasks. Closed by the worker. */
  consumer: Consumer;
  /** Samples and scores one answer. */
  process(task: ParsedPromptTask, signal: AbortSignal): Promise<events.Rollout>;
  /** Resolves when the bus has stored the rollout that answers a message. */
  publish(rollout: events.Rollout, message: BusMessage): Promise<void>;
  /** Tasks in flight at once. */
  concurrency: number;
  logger?: Logger;
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
}

/** Starts taking tasks at once. */
export function startWorker(options: WorkerOptions): Worker {
  return new RolloutWorker(options);
}

class RolloutWorker implements Worker {
  private readonly logger: Logger;
  private readonly inFlight = new Set<Promise<void>>();
  private readonly stopPulling = new AbortController();
  private readonly giveUp = new AbortController();
  private readonly pulling: Promise<void>;
  private wakePuller = () => {};
  private draining: Promise<void> | undefined;
  private drained = false;
  private concurrency: number;
  private readonly counts = { numCompleted: 0, numRetried: 0, numDead: 0 };
  private lastError = "";

  constructor(private readonly options: WorkerOptions) {
    this.logger = options.logger ?? silentLogger();
    this.concurrency = options.concurrency;
    setMaxListeners(0, this.giveUp.signal); // one for each call in flight
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

  private async finish(): Promise<void> {
    this.stopPulling.abort();
    this.wakePuller();
    await this.pulling;
    await this.options.consumer.close();
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
      return await this.options.consumer.next(signal);
    } catch (error) {
      if (!isCancelled(error)) this.logger.error({ err: error }, "no more tasks from the bus");
      return undefined;
    }
  }

  /** Settles the message, whatever happens. */
  private async handle(message: BusMessage): Promise<void> {
    try {
      const task = parsePromptTask(decodeMessage(events.PromptTask, message.data, "prompt task"));
      const rollout = await this.options.process(task, this.giveUp.signal);
      await this.options.publish(rollout, message);
      await message.ack();
      this.counts.numCompleted++;
    } catch (thrown) {
      await this.settleFailed(message, StagecraftError.from(thrown)).catch((error: unknown) => {
        // Not settled: the bus delivers it again after its ack wait.
        this.logger.warn({ err: error, messageId: message.id }, "task could not be settled");
      });
    }
  }

  private async settleFailed(message: BusMessage, error: StagecraftError): Promise<void> {
    const facts = { err: error, messageId: message.id, delivery: message.delivery };
    if (this.giveUp.signal.aborted) return message.nak();
    this.lastError = error.message;
    const settlement = settlementFor(error, message.delivery, Math.random());
    if (settlement.kind === "term") {
      this.counts.numDead++;
      this.logger.error(facts, "task is given up");
      return message.term(settlement.reason);
    }
    this.counts.numRetried++;
    this.logger.warn(facts, "task goes back to the queue");
    return message.nak(settlement.delayMs);
  }
}
