import { StagecraftError } from "@stagecraft/core";
import type { Cancellation } from "@stagecraft/rpc";

export interface BatcherOptions<I, O> {
  /** Items in one run at most. */
  maxBatch: number;
  /** How long the oldest item may wait for company; 0 runs at once. */
  maxWaitMs: number;
  /** Items waiting at most; beyond it submissions are refused. */
  maxQueued: number;
  /** Answers items in their order. Never called while an earlier call is running. */
  run(items: I[]): Promise<O[]>;
}

/** Collects items of many callers into common runs. */
export interface Batcher<I, O> {
  /**
   * Resolves when all items are answered. Throws `resource_exhausted` when they do not all fit into
   * the queue, `cancelled` when the caller gives up first (items not yet running leave the queue).
   */
  submit(items: readonly I[], cancellation?: Cancellation): Promise<O[]>;
  readonly numQueued: number;
  /** Refuses new items and waits for those inside. */
  close(): Promise<void>;
}

/** The items of one caller; answered together. */
interface Submission<O> {
  arrivedAt: number;
  outputs: O[];
  numLeft: number;
  resolve(outputs: O[]): void;
  reject(error: unknown): void;
}

interface Entry<I, O> {
  item: I;
  index: number;
  submission: Submission<O>;
}

/** A batch leaves when it is full or its oldest item has waited `maxWaitMs`. */
export function createBatcher<I, O>(options: BatcherOptions<I, O>): Batcher<I, O> {
  return new DynamicBatcher(options);
}

class DynamicBatcher<I, O> implements Batcher<I, O> {
  private queue: Entry<I, O>[] = [];
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private closed = false;

  constructor(private readonly options: BatcherOptions<I, O>) {}

  get numQueued(): number {
    return this.queue.length;
  }

  async submit(items: readonly I[], cancellation?: Cancellation): Promise<O[]> {
    cancellation?.throwIfCancelled();
    this.admit(items.length);
    if (items.length === 0) return [];
    let stopListening: (() => void) | undefined;
    const answer = new Promise<O[]>((resolve, reject) => {
      const submission = this.enqueue(items, { resolve, reject });
      stopListening = cancellation?.onCancelled((reason) => this.withdraw(submission, reason));
    });
    this.schedule();
    try {
      return await answer;
    } finally {
      stopListening?.();
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    while (this.queue.length > 0 || this.running) {
      this.start();
      await this.running;
    }
  }

  private admit(numItems: number): void {
    if (this.closed) throw new StagecraftError("unavailable", "the server is shutting down");
    const numFree = this.options.maxQueued - this.queue.length;
    if (numItems <= numFree) return;
    throw new StagecraftError(
      "resource_exhausted",
      `${numItems} items do not fit into the ${numFree} free places of the queue; try later`,
      { details: { numItems, numFree } },
    );
  }

  private enqueue(
    items: readonly I[],
    settle: Pick<Submission<O>, "resolve" | "reject">,
  ): Submission<O> {
    const { resolve, reject } = settle;
    const arrivedAt = performance.now();
    const submission = { arrivedAt, outputs: [], numLeft: items.length, resolve, reject };
    items.forEach((item, index) => this.queue.push({ item, index, submission }));
    return submission;
  }

  private withdraw(submission: Submission<O>, cause: StagecraftError): void {
    this.queue = this.queue.filter((entry) => entry.submission !== submission);
    submission.reject(new StagecraftError("cancelled", "stopped on request", { cause }));
  }

  /** Starts a run now or sets the timer for the oldest item. */
  private schedule(): void {
    const oldest = this.queue[0];
    if (this.running || !oldest) return;
    clearTimeout(this.timer);
    const waitMs = this.options.maxWaitMs - (performance.now() - oldest.submission.arrivedAt);
    if (this.queue.length >= this.options.maxBatch || waitMs <= 0) this.start();
    else this.timer = setTimeout(() => this.start(), waitMs);
  }

  private start(): void {
    clearTimeout(this.timer);
    if (this.running || this.queue.length === 0) return;
    const batch = this.queue.splice(0, this.options.maxBatch);
    this.running = this.runBatch(batch).finally(() => {
      this.running = undefined;
      this.schedule();
    });
  }

  private async runBatch(batch: Entry<I, O>[]): Promise<void> {
    try {
      const outputs = await this.options.run(batch.map((entry) => entry.item));
      batch.forEach((entry, at) => answerEntry(entry, outputs[at]!));
    } catch (error) {
      for (const { submission } of batch) submission.reject(error);
    }
  }
}

function answerEntry<I, O>({ submission, index }: Entry<I, O>, output: O): void {
  submission.outputs[index] = output;
  if (--submission.numLeft === 0) submission.resolve(submission.outputs);
}
