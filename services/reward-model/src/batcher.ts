import { StagecraftError, throwIfAborted } from "@stagecraft/core";

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
   * the queue, `cancelled` when the signal fires first (items not yet running leave the queue).
   */
  submit(items: readonly I[], signal?: AbortSignal): Promise<O[]>;
  readonly numQueued: number;
  /** Refuses new items and waits for those inside. */
  close(): Promise<void>;
}

interface Entry<I, O> {
  item: I;
  arrivedAt: number;
  resolve(output: O): void;
  reject(error: unknown): void;
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

  async submit(items: readonly I[], signal?: AbortSignal): Promise<O[]> {
    throwIfAborted(signal);
    this.admit(items.length);
    const entries: Entry<I, O>[] = [];
    const answers = items.map((item) => this.enqueue(item, entries));
    const onAbort = () => this.withdraw(entries, signal!);
    signal?.addEventListener("abort", onAbort, { once: true });
    this.schedule();
    try {
      return await Promise.all(answers);
    } finally {
      signal?.removeEventListener("abort", onAbort);
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

  private enqueue(item: I, entries: Entry<I, O>[]): Promise<O> {
    return new Promise<O>((resolve, reject) => {
      const entry = { item, arrivedAt: performance.now(), resolve, reject };
      entries.push(entry);
      this.queue.push(entry);
    });
  }

  private withdraw(entries: Entry<I, O>[], signal: AbortSignal): void {
    const leaving = new Set(entries);
    this.queue = this.queue.filter((entry) => !leaving.has(entry));
    const error = new StagecraftError("cancelled", "stopped on request", { cause: signal.reason });
    for (const entry of entries) entry.reject(error);
  }

  /** Starts a run now or sets the timer for the oldest item. */
  private schedule(): void {
    const oldest = this.queue[0];
    if (this.running || !oldest) return;
    clearTimeout(this.timer);
    const waitMs = this.options.maxWaitMs - (performance.now() - oldest.arrivedAt);
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
      batch.forEach((entry, index) => entry.resolve(outputs[index]!));
    } catch (error) {
      for (const entry of batch) entry.reject(error);
    }
  }
}
