import { StagecraftError, throwIfAborted } from "@stagecraft/core";
import { clearWorkerHeap, type Metrics } from "@stagecraft/telemetry";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { Worker, type Transferable } from "node:worker_threads";
import { applySample } from "./forward-metrics.js";
import { preloadFlags } from "./preload-flags.js";
import { watchHeartbeat, type Heartbeat } from "./heartbeat.js";
import {
  fromPlainError,
  toPlainError,
  type FromThread,
  type PlainError,
  type ToThread,
} from "./messages.js";
import type { ThreadApi } from "./serve-thread.js";

export interface StartThreadOptions<Data, Event, Question = never> {
  /** For messages: what the thread does, e.g. "engine". */
  name: string;
  /** The module that calls `serveThread`; see `threadModule`. */
  module: URL;
  data: Data;
  /** Bound of the thread's JavaScript heap in MiB; default: Node's own. */
  maxHeapMb?: number;
  /** Silent for so long, a thread counts as stuck. Default 30 s. */
  stuckAfterMs?: number;
  onEvent?: (event: Event) => void;
  /** Answers the thread's questions: agrees or throws. */
  onAsk?: (question: Question) => Promise<void>;
  /** Where the thread's metrics are kept. Default: nowhere. */
  metrics?: Metrics;
}

export interface CallOptions {
  /** Buffers that the thread takes over. */
  transfer?: readonly Transferable[];
  signal?: AbortSignal;
}

/** A worker thread that answers calls. */
export interface Thread<Api extends ThreadApi, Facts> extends AsyncDisposable {
  /** Number of the thread in this process. */
  readonly threadId: number;
  readonly facts: Facts;
  /** Throws what the method threw, `unavailable` when the thread has ended, `cancelled` by signal. */
  call<K extends keyof Api & string>(
    method: K,
    args: Parameters<Api[K]>[0],
    options?: CallOptions,
  ): Promise<Awaited<ReturnType<Api[K]>>>;
  /**
   * Has a method run and nothing come back, which wakes nobody here. The method must not fail: that ends the
   * thread. Throws `unavailable` when it has ended; nobody hears whether it ran before an end.
   */
  tell<K extends keyof Api & string>(method: K, args: Parameters<Api[K]>[0]): void;
  /** Calls back now and at every change: whether the thread lives and its loop turns. */
  onHealth(listener: (healthy: boolean) => void): void;
  /** Resolves when the thread is gone: with the reason if nobody asked for it. */
  readonly ended: Promise<StagecraftError | undefined>;
  /** Lets the thread free what it holds; after `CLOSE_MS` it is stopped wherever it is. */
  close(): Promise<void>;
}

const CLOSE_MS = 10_000;

/** Starts a thread; resolves when its set-up is done, rejects with what that threw. */
export async function startThread<
  Data,
  Api extends ThreadApi,
  Facts = undefined,
  Event = never,
  Question = never,
>(options: StartThreadOptions<Data, Event, Question>): Promise<Thread<Api, Facts>> {
  const thread = new WorkerThread<Api, Facts>(options as AnyOptions);
  await thread.ready;
  return thread;
}

type AnyOptions = StartThreadOptions<unknown, unknown, unknown>;

interface PendingCall {
  resolve(value: unknown): void;
  reject(error: StagecraftError): void;
}

/** The set-up takes the place of a call. */
const SET_UP = 0;

class WorkerThread<Api extends ThreadApi, Facts> implements Thread<Api, Facts> {
  facts!: Facts;
  readonly ready: Promise<unknown>;
  readonly threadId: number;
  readonly ended: Promise<StagecraftError | undefined>;
  private readonly worker: Worker;
  private readonly pending = new Map<number, PendingCall>();
  private readonly heartbeat: Heartbeat;
  private nextId = SET_UP + 1;
  private failure: StagecraftError | undefined;
  private closing: Promise<void> | undefined;

  constructor(private readonly options: AnyOptions) {
    const { name, module, data, maxHeapMb, stuckAfterMs = 30_000 } = options;
    const execArgv = preloadFlags(process.execArgv);
    const resourceLimits = maxHeapMb === undefined ? {} : { maxOldGenerationSizeMb: maxHeapMb };
    this.worker = new Worker(module, { name, workerData: data, execArgv, resourceLimits });
    this.threadId = this.worker.threadId;
    this.heartbeat = watchHeartbeat({ stuckAfterMs });
    this.ready = new Promise((resolve, reject) => this.pending.set(SET_UP, { resolve, reject }));
    this.worker.on("message", (message: FromThread) => this.receive(message));
    this.worker.on("error", (error) => this.fail(`failed: ${error.message}`, error));
    this.ended = once(this.worker, "exit").then(
      () => this.onExit(),
      () => this.onExit(),
    );
  }

  async call<K extends keyof Api & string>(
    method: K,
    args: Parameters<Api[K]>[0],
    { transfer = [], signal }: CallOptions = {},
  ): Promise<Awaited<ReturnType<Api[K]>>> {
    throwIfAborted(signal);
    if (this.failure) throw this.failure;
    const id = this.nextId++;
    const cancel = () =>
      this.post({ kind: "cancel", id, details: toPlainError(signal?.reason).details });
    signal?.addEventListener("abort", cancel, { once: true });
    try {
      return await new Promise<Awaited<ReturnType<Api[K]>>>((resolve, reject) => {
        this.pending.set(id, { resolve: resolve as PendingCall["resolve"], reject });
        this.post({ kind: "call", id, method, args }, transfer);
      });
    } finally {
      signal?.removeEventListener("abort", cancel);
    }
  }

  tell<K extends keyof Api & string>(method: K, args: Parameters<Api[K]>[0]): void {
    if (this.failure) throw this.failure;
    this.post({ kind: "tell", method, args });
  }

  onHealth(listener: (healthy: boolean) => void): void {
    this.heartbeat.onChange(listener);
  }

  close(): Promise<void> {
    return (this.closing ??= this.stop());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private async stop(): Promise<void> {
    if (!this.failure) this.post({ kind: "close" });
    const timer = new AbortController();
    const late = delay(CLOSE_MS, true, { signal: timer.signal }).catch(() => false);
    if (await Promise.race([this.ended.then(() => false), late])) await this.worker.terminate();
    timer.abort();
    await this.ended;
  }

  private post(message: ToThread, transfer: readonly Transferable[] = []): void {
    this.worker.postMessage(message, [...transfer]);
  }

  private receive(message: FromThread): void {
    this.heartbeat.beat();
    switch (message.kind) {
      case "beat":
        break;
      case "event":
        this.options.onEvent?.(message.event);
        break;
      case "ask":
        void this.reply(message.id, message.question);
        break;
      case "sample":
        if (this.options.metrics) applySample(this.options.metrics, message.sample);
        break;
      case "ready":
        this.facts = message.facts as Facts;
        this.settle(SET_UP, (call) => call.resolve(undefined));
        break;
      case "result":
        this.settle(message.id, (call) => call.resolve(message.value));
        break;
      case "error":
        this.settle(message.id, (call) => call.reject(fromPlainError(message.error)));
        break;
    }
  }

  private async reply(id: number, question: unknown): Promise<void> {
    let error: PlainError | undefined;
    try {
      await this.options.onAsk?.(question);
    } catch (thrown) {
      error = toPlainError(thrown);
    }
    this.post({ kind: "reply", id, error });
  }

  private settle(id: number, how: (call: PendingCall) => void): void {
    const call = this.pending.get(id);
    this.pending.delete(id);
    if (call) how(call);
  }

  private fail(what: string, cause?: unknown): void {
    const reason = `the ${this.options.name} thread ${what}`;
    const details = { thread: isOutOfMemory(cause) ? "out_of_memory" : "ended" };
    this.failure ??= new StagecraftError("unavailable", reason, { cause, details });
    this.heartbeat.stop();
    for (const call of this.pending.values()) call.reject(this.failure);
    this.pending.clear();
  }

  private onExit(): StagecraftError | undefined {
    const asked = this.closing !== undefined && this.failure === undefined;
    this.fail(asked ? "was closed" : "ended by itself");
    if (this.options.metrics) clearWorkerHeap(this.options.metrics);
    return asked ? undefined : this.failure;
  }
}

function isOutOfMemory(cause: unknown): boolean {
  return (cause as NodeJS.ErrnoException | undefined)?.code === "ERR_WORKER_OUT_OF_MEMORY";
}
