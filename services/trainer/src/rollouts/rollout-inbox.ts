import type { BusMessage, Consumer } from "@stagecraft/bus";
import {
  decodeMessage,
  events,
  parseRollout,
  parseTaskFailure,
  type ParsedRollout,
  type ParsedTaskFailure,
} from "@stagecraft/contracts";
import { isCancelled, StagecraftError } from "@stagecraft/core";
import { silentLogger, type Logger } from "@stagecraft/telemetry";
import { createDoneTasks } from "./done-tasks.js";

export interface InboxOptions {
  /** Rollouts of one run. Closed by the inbox. */
  consumer: Consumer;
  runId: string;
  /** A reason to refuse a well-formed rollout of this run; undefined to keep it. */
  problemOf(rollout: ParsedRollout): string | undefined;
  /** Called once for each message that arrives; for counting. */
  onOutcome?(outcome: "accepted" | "duplicate" | "refused" | "other_run" | "failed"): void;
  /** Called for each rollout that is not taken, with its task if that could be read. */
  onRefused(reason: string, taskId: string | undefined): void;
  /** Called when a worker tells why it has no rollout. */
  onFailure(failure: ParsedTaskFailure): void;
  /** Called when something was settled that nobody asked to acknowledge. */
  onSettled?(): void;
  logger?: Logger;
}

/** Rollouts that have arrived and are not acknowledged yet, one per task. */
export interface RolloutInbox {
  /**
   * Resolves with the rollout of a task, at once if it is there; rejects if the inbox fails. Tasks of
   * a kind are taken in their order, so whatever came for one before the first is done with.
   */
  take(taskId: string): Promise<ParsedRollout>;
  /** Stops waiting for a task; with an error, whoever waits gets it. */
  forget(taskId: string, error?: StagecraftError): void;
  /** Tells the bus that these need never come again. */
  acknowledge(rolloutIds: readonly string[]): Promise<void>;
  /** Acknowledges whatever is held; for the end of a run. */
  acknowledgeAll(): Promise<void>;
  /** Gives what is not acknowledged back to the bus. */
  close(): Promise<void>;
}

interface Held {
  rollout: ParsedRollout;
  message: BusMessage;
  taken: boolean;
}
/** As far as they could be read. */
interface RolloutIds {
  taskId?: string;
  rolloutId?: string;
}
interface Waiter {
  promise: Promise<ParsedRollout>;
  resolve(rollout: ParsedRollout): void;
  reject(error: unknown): void;
}

/** Starts reading at once. Poison becomes a dead letter with the reason and disturbs nothing else. */
export function openRolloutInbox(options: InboxOptions): RolloutInbox {
  return new Inbox(options);
}

class Inbox implements RolloutInbox {
  private readonly held = new Map<string, Held>();
  private readonly done = createDoneTasks();
  private readonly waiters = new Map<string, Waiter>();
  private readonly stop = new AbortController();
  private readonly logger: Logger;
  private readonly reading: Promise<void>;
  private failure: StagecraftError | undefined;

  constructor(private readonly options: InboxOptions) {
    this.logger = options.logger ?? silentLogger();
    this.reading = this.read();
  }

  take(taskId: string): Promise<ParsedRollout> {
    if (this.failure) return Promise.reject(this.failure);
    if (this.done.begin(taskId)) this.dropDone();
    const waiter = this.waiters.get(taskId) ?? createWaiter();
    this.waiters.set(taskId, waiter);
    const early = [...this.held.values()].find(({ rollout }) => rollout.taskId === taskId);
    if (early) this.deliverChecked(early);
    return waiter.promise;
  }

  forget(taskId: string, error?: StagecraftError): void {
    if (error) this.waiters.get(taskId)?.reject(error);
    this.waiters.delete(taskId);
  }

  async acknowledge(rolloutIds: readonly string[]): Promise<void> {
    const entries = rolloutIds.flatMap((id) => this.held.get(id) ?? []);
    for (const { rollout } of entries) this.done.finish(rollout.taskId);
    for (const id of rolloutIds) this.held.delete(id);
    await Promise.all(entries.map(({ message }) => this.settle(message, "ack")));
  }

  acknowledgeAll(): Promise<void> {
    return this.acknowledge([...this.held.keys()]);
  }

  async close(): Promise<void> {
    this.stop.abort();
    await this.reading;
    await this.options.consumer.close();
    await Promise.all([...this.held.values()].map(({ message }) => this.settle(message, "nak")));
    this.held.clear();
  }

  private async read(): Promise<void> {
    try {
      for (;;) {
        const message = await this.options.consumer.next(this.stop.signal);
        if (!message) return;
        await this.receive(message);
      }
    } catch (thrown) {
      if (this.stop.signal.aborted || isCancelled(thrown)) return;
      this.failure = StagecraftError.from(thrown);
      for (const waiter of this.waiters.values()) waiter.reject(this.failure);
    }
  }

  private async receive(message: BusMessage): Promise<void> {
    const ids: RolloutIds = {};
    try {
      const decoded = decodeMessage(events.Rollout, message.data, "rollout");
      if (decoded.taskId) ids.taskId = decoded.taskId;
      if (decoded.rolloutId) ids.rolloutId = decoded.rolloutId;
      const failure = parseTaskFailure(decoded);
      if (failure) return await this.hear(message, failure);
      const rollout = this.check(decoded);
      if (rollout.runId === this.options.runId) return await this.admit(message, rollout);
      const { runId: otherRun, taskId, rolloutId } = rollout;
      this.logger.info({ otherRun, taskId, rolloutId }, "rollout of an earlier run is dropped");
      await this.drop(message, "other_run");
    } catch (thrown) {
      if (!(thrown instanceof StagecraftError) || thrown.code !== "invalid_argument") throw thrown;
      await this.refuse(message, thrown.reason, ids);
    }
  }

  /** It is no rollout: nothing is held, nothing learnt. */
  private async hear(message: BusMessage, failure: ParsedTaskFailure): Promise<void> {
    if (failure.runId !== this.options.runId) return this.drop(message, "other_run");
    await this.drop(message, "failed");
    this.options.onFailure(failure);
  }

  private async refuse(message: BusMessage, reason: string, ids: RolloutIds): Promise<void> {
    this.options.onOutcome?.("refused");
    this.logger.warn({ ...ids, messageId: message.id, reason }, "rollout is refused");
    try {
      await message.term(reason);
    } catch (error) {
      const facts = { ...ids, err: error, messageId: message.id };
      this.logger.warn(facts, "dead letter could not be stored");
    }
    this.options.onRefused(reason, ids.taskId);
    this.options.onSettled?.();
  }

  /** It was counted before, or nobody will ever ask for it. */
  private async drop(
    message: BusMessage,
    why: "duplicate" | "other_run" | "failed" = "duplicate",
  ): Promise<void> {
    this.options.onOutcome?.(why);
    await this.settle(message, "ack");
    this.options.onSettled?.();
  }

  /** A broker that was killed forgets acks, so what was learnt from long ago may come again. */
  private dropDone(): void {
    for (const [id, { rollout, message }] of this.held) {
      if (!this.done.has(rollout.taskId)) continue;
      this.held.delete(id);
      void this.drop(message);
    }
  }

  private check(decoded: events.Rollout): ParsedRollout {
    const rollout = parseRollout(decoded);
    if (rollout.runId !== this.options.runId) return rollout;
    const problem = this.options.problemOf(rollout);
    if (problem === undefined) return rollout;
    throw new StagecraftError("invalid_argument", problem);
  }

  private async admit(message: BusMessage, rollout: ParsedRollout): Promise<void> {
    const known = this.held.get(rollout.rolloutId);
    if (!known && this.done.has(rollout.taskId)) return this.drop(message);
    if (known?.taken && known.message.sequence !== message.sequence) return this.drop(message);
    if (!known) this.options.onOutcome?.("accepted");
    // The same message delivered anew: the newest delivery is the one to acknowledge.
    const entry = { rollout: known?.rollout ?? rollout, message, taken: known?.taken ?? false };
    this.held.set(rollout.rolloutId, entry);
    this.deliver(entry);
  }

  /** What came before its task was known was checked without it. */
  private deliverChecked(entry: Held): void {
    const problem = this.options.problemOf(entry.rollout);
    if (problem === undefined) return this.deliver(entry);
    this.held.delete(entry.rollout.rolloutId);
    const { taskId, rolloutId } = entry.rollout;
    void this.refuse(entry.message, problem, { taskId, rolloutId });
  }

  private deliver(entry: Held): void {
    const waiter = this.waiters.get(entry.rollout.taskId);
    if (!waiter) return;
    this.waiters.delete(entry.rollout.taskId);
    entry.taken = true;
    waiter.resolve(entry.rollout);
  }

  private async settle(message: BusMessage, how: "ack" | "nak"): Promise<void> {
    await message[how]().catch((error: unknown) => {
      // Comes again; the ledger or this inbox knows it.
      this.logger.warn({ err: error, messageId: message.id }, `${how} was not confirmed`);
    });
  }
}

function createWaiter(): Waiter {
  let resolve!: Waiter["resolve"];
  let reject!: Waiter["reject"];
  const promise = new Promise<ParsedRollout>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}
