import type { TensorMap } from "@stagecraft/checkpoint";
import type { ParsedWeights } from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import type { Cancellation } from "@stagecraft/rpc";
import {
  fromPlainError,
  startThread,
  threadModule,
  type SupervisedThread,
  type Thread,
} from "@stagecraft/service-kit";
import type { Metrics } from "@stagecraft/telemetry";
import { loadTokenizerOf } from "@stagecraft/model";
import { openAnswers, type Withdraw } from "./answers.js";
import { createBurst } from "./burst.js";
import type {
  EngineStatus,
  JudgedSequence,
  PolicyEngine,
  PolicyModelFacts,
  SequenceRequest,
  SequenceToScore,
  TokenChunk,
} from "./engine.js";
import { createQueueRoom, type QueueRoom } from "./queue-room.js";
import { spreadTokens } from "./token-batcher.js";
import type { TokenSink } from "./token-channel.js";
import type {
  EngineThreadApi,
  EngineThreadData,
  EngineThreadEvent,
  EngineThreadFacts,
  StepStatus,
} from "./thread-protocol.js";
import { createVersionLog } from "./version-log.js";

export interface ThreadedEngineOptions extends EngineThreadData {
  /** Without a sign of life from the thread for so long, it counts as stuck. */
  stuckAfterMs?: number;
  metrics?: Metrics;
}

/** An engine in a thread of its own, so that this one is free to answer. */
export interface ThreadedEngine extends PolicyEngine, SupervisedThread {
  /** Name of the tensor engine that runs in the thread. */
  readonly engineName: string;
  /** What it cannot do as asked, such as take a number of threads. */
  readonly engineNotice: string | undefined;
}

type EngineThread = Thread<EngineThreadApi, EngineThreadFacts>;

/**
 * Starts a thread with a local engine over a model directory. When the thread dies, everything in it
 * fails with `unavailable`, and so does everything afterwards.
 */
export async function createThreadedEngine(
  options: ThreadedEngineOptions,
): Promise<ThreadedEngine> {
  const { stuckAfterMs, metrics, ...data } = options;
  // Nothing is told before something is asked.
  let receive: (event: EngineThreadEvent) => void = () => undefined;
  const [tokenizer, thread] = await Promise.all([
    loadTokenizerOf(options.modelDir, options.chat ?? {}),
    startThread<EngineThreadData, EngineThreadApi, EngineThreadFacts, EngineThreadEvent>({
      name: "engine",
      module: threadModule("./thread.js", import.meta.url),
      data,
      ...(stuckAfterMs === undefined ? {} : { stuckAfterMs }),
      ...(metrics === undefined ? {} : { metrics }),
      onEvent: (event) => receive(event),
    }),
  ]);
  const engine = new EngineClient(options, thread, { ...thread.facts.model, tokenizer });
  receive = (event) => engine.receive(event);
  return engine;
}

interface Pending {
  request: SequenceRequest;
  sink: TokenSink;
}

/** On its way to the thread. */
interface Arrived {
  handle: number;
  request: SequenceRequest;
}

class EngineClient implements ThreadedEngine {
  readonly engineName: string;
  readonly engineNotice: string | undefined;
  readonly ended: EngineThread["ended"];
  private readonly pending = new Map<number, Pending>();
  private readonly versions = createVersionLog();
  private readonly room: QueueRoom;
  private readonly arrivals = createBurst<Arrived>((arrived) => this.handOver(arrived));
  private latest: StepStatus = {
    numActive: 0,
    numSteps: 0,
    numTokensGenerated: 0,
    busyMs: 0,
  };
  private nextHandle = 1;

  constructor(
    private readonly options: ThreadedEngineOptions,
    private readonly thread: EngineThread,
    readonly facts: PolicyModelFacts,
  ) {
    this.engineName = thread.facts.engine.name;
    this.engineNotice = thread.facts.engine.notice;
    this.ended = thread.ended;
    const { kvTokens } = thread.facts;
    this.room = createQueueRoom({ ...options, kvTokens, maxPositions: facts.maxPositions });
    void thread.ended.then((reason) => {
      this.failAll(reason ?? new StagecraftError("unavailable", "the engine was closed"));
    });
  }

  submit(
    requests: readonly SequenceRequest[],
    cancellation: Cancellation,
  ): AsyncIterable<TokenChunk>[] {
    return openAnswers(requests.length, cancellation, (sinks) => this.start(requests, sinks));
  }

  async scoreLogProbs(
    sequences: readonly SequenceToScore[],
    temperature: number,
    signal?: AbortSignal,
  ) {
    const copies = sequences.map(({ ids, promptLength }) => ({ ids: ids.slice(), promptLength }));
    const options = signal ? { signal } : {};
    return this.thread.call("scoreLogProbs", { sequences: copies, temperature }, options);
  }

  judge(ids: Int32Array, numTop: number, signal?: AbortSignal): Promise<JudgedSequence> {
    return this.thread.call("judge", { ids: ids.slice(), numTop }, signal ? { signal } : {});
  }

  loadWeights(weights: ParsedWeights, tensors: TensorMap): Promise<void> {
    const buffers = [...tensors.values()].map(({ data }) => data.buffer as ArrayBuffer);
    const transfer = [...new Set(buffers)];
    return this.thread.call("loadWeights", { weights, tensors }, { transfer });
  }

  weightsOf(version: number): ParsedWeights | undefined {
    return this.versions.get(version);
  }

  status(): EngineStatus {
    const { maxActive, maxQueued } = this.options;
    // Ended answers may still count as active until the thread's next word.
    const numActive = Math.min(this.latest.numActive, this.pending.size);
    const numQueued = this.pending.size - numActive;
    const weights = this.versions.latest;
    return { ...this.latest, weights, numActive, numQueued, maxActive, maxQueued };
  }

  onHealth(listener: (healthy: boolean) => void): void {
    this.thread.onHealth(listener);
  }

  async close(): Promise<void> {
    this.failAll(new StagecraftError("unavailable", "the server is shutting down"));
    await this.thread.close();
  }

  /** What the thread tells by itself. */
  receive(event: EngineThreadEvent): void {
    switch (event.kind) {
      case "tokens":
        this.latest = event.status;
        spreadTokens(event.tokens, (handle) => this.pending.get(handle)?.sink);
        for (const { index } of event.tokens.ends) this.forget(event.tokens.handles[index]!);
        break;
      case "failed":
        this.fail(event.handle, fromPlainError(event.error));
        break;
      case "weights":
        this.versions.add(event.weights);
        break;
    }
  }

  private start(requests: readonly SequenceRequest[], sinks: readonly TokenSink[]): Withdraw[] {
    this.room.admit(requests);
    const arrived = requests.map((request, i): Arrived => {
      const handle = this.nextHandle++;
      this.pending.set(handle, { request, sink: sinks[i]! });
      // A view would take its whole buffer along.
      return { handle, request: { ...request, promptIds: request.promptIds.slice() } };
    });
    this.arrivals.add(arrived);
    return arrived.map(
      ({ handle }) =>
        (error) =>
          this.withdraw(handle, error),
    );
  }

  /** Requests that come together go together, so that the thread's next step reads all of them. */
  private handOver(arrived: readonly Arrived[]): void {
    const wanted = arrived.filter(({ handle }) => this.pending.has(handle));
    if (wanted.length === 0) return;
    const handles = wanted.map(({ handle }) => handle);
    const requests = wanted.map(({ request }) => request);
    try {
      this.thread.tell("start", { handles, requests });
    } catch (thrown) {
      for (const handle of handles) this.fail(handle, StagecraftError.from(thrown));
    }
  }

  private withdraw(handle: number, error: StagecraftError): void {
    if (!this.fail(handle, error)) return;
    try {
      this.thread.tell("withdraw", handle);
    } catch {
      // gone with its thread
    }
  }

  private fail(handle: number, error: StagecraftError): boolean {
    const pending = this.forget(handle);
    pending?.sink.fail(error);
    return pending !== undefined;
  }

  private failAll(error: StagecraftError): void {
    for (const handle of [...this.pending.keys()]) this.fail(handle, error);
  }

  private forget(handle: number): Pending | undefined {
    const pending = this.pending.get(handle);
    if (!pending) return undefined;
    this.pending.delete(handle);
    this.room.leave(pending.request);
    return pending;
  }
}
