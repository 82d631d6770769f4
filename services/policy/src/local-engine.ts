import { setImmediate as nextTurn, setTimeout as delay } from "node:timers/promises";
import type { TensorMap } from "@stagecraft/checkpoint";
import type { ParsedWeights } from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import {
  createGenerationEngine,
  judgeSequence,
  type GenerationEngine,
  type GenerationEvent,
  type Model,
} from "@stagecraft/model";
import type { Cancellation } from "@stagecraft/rpc";
import { kvBytesPerToken, releaseIdleMemory, releaseWeights } from "@stagecraft/tensor";
import { silentLogger, type Logger } from "@stagecraft/telemetry";
import type { Tokenizer } from "@stagecraft/tokenizer";
import { openAnswers, type Withdraw } from "./answers.js";
import type {
  EngineStatus,
  JudgedSequence,
  PolicyEngine,
  PolicyModelFacts,
  SequenceRequest,
  SequenceToScore,
  TokenChunk,
} from "./engine.js";
import { createQueueRoom, type QueueLimits, type QueueRoom } from "./queue-room.js";
import { scoreSequences, type ScoreSequencesOptions } from "./score-sequences.js";
import type { TokenSink } from "./token-channel.js";
import { createTurns, type TurnOptions } from "./turns.js";
import { createVersionLog } from "./version-log.js";

export interface LocalEngineOptions extends QueueLimits {
  /** The name requests use. */
  name: string;
  /** Disposed with the engine; nobody else may change its weights. */
  model: Model;
  tokenizer: Tokenizer;
  /** Prompt tokens read in one step. */
  maxPrefillTokens: number;
  /** Memory for keys and values; 0 or absent: as much as `maxActive` of the longest sequences take. */
  kvCacheBytes?: number;
  /** Longest wait for more requests before the first step after a rest; 0 starts at once. */
  startWaitMs: number;
  /** Tokens of one forward pass when log-probs are scored. */
  maxScoreTokens: number;
  /**
   * After so long without requests, keys, values and packed weights are given up until the next one;
   * what prompts have in common is read anew then. Default: never.
   */
  restAfterMs?: number;
  logger?: Logger;
  /** Called when the tokens of a step have all been handed out. */
  onStep?: () => void;
  /** Called when weights have come into use, before any token of theirs. */
  onWeights?: (weights: ParsedWeights) => void;
}

/** An engine on this thread: what passes between threads is built on these. */
export interface LocalEngine extends PolicyEngine {
  /** As `submit`, into sinks of the caller's. */
  start(requests: readonly SequenceRequest[], sinks: readonly TokenSink[]): Withdraw[];
  /** Tokens that the KV cache holds. */
  readonly kvTokens: number;
}

/** A burst is over when nothing came for so long. */
const QUIET_MS = 2;

/** An engine on this thread. It gives the event loop a turn after every step. */
export function createLocalEngine(options: LocalEngineOptions): LocalEngine {
  return new ThisThreadsEngine(options);
}

interface Pending {
  request: SequenceRequest;
  sink: TokenSink;
  /** In the generation engine; undefined while it waits for weights. */
  handle: number | undefined;
}

interface Swap {
  weights: ParsedWeights;
  tensors: TensorMap;
  resolve(): void;
  reject(error: unknown): void;
}

class ThisThreadsEngine implements LocalEngine {
  readonly facts: PolicyModelFacts;
  readonly kvTokens: number;
  private readonly room: QueueRoom;
  /** Undefined while it rests. */
  private engine: GenerationEngine | undefined;
  private resting: NodeJS.Timeout | undefined;
  private readonly sequences = new Set<Pending>();
  private readonly byHandle = new Map<number, Pending>();
  private readonly versions = createVersionLog();
  private swap: Swap | undefined;
  /** Scoring and swapping exclude each other, so that scores come from one set of weights. */
  private readonly turns = createTurns();
  private looping: Promise<void> | undefined;
  private closed = false;
  private numTokensGenerated = 0;
  private numSteps = 0;
  private busyMs = 0;
  private readonly logger: Logger;

  constructor(private readonly options: LocalEngineOptions) {
    const { model, name, tokenizer } = options;
    const { architecture, vocabSize, maxPositions } = model.config;
    const { numParams } = model;
    this.facts = { name, architecture, numParams, vocabSize, maxPositions, tokenizer };
    this.logger = options.logger ?? silentLogger();
    this.kvTokens = kvTokensOf(options);
    this.room = createQueueRoom({ ...options, kvTokens: this.kvTokens, maxPositions });
    this.engine = this.newEngine();
    this.restLater();
  }

  submit(
    requests: readonly SequenceRequest[],
    cancellation: Cancellation,
  ): AsyncIterable<TokenChunk>[] {
    return openAnswers(requests.length, cancellation, (sinks) => this.start(requests, sinks));
  }

  start(requests: readonly SequenceRequest[], sinks: readonly TokenSink[]): Withdraw[] {
    if (this.closed) throw new StagecraftError("unavailable", "the server is shutting down");
    this.room.admit(requests);
    const added = requests.map((request, i): Pending => {
      return { request, sink: sinks[i]!, handle: undefined };
    });
    for (const pending of added) this.sequences.add(pending);
    this.run();
    return added.map((pending) => (error) => this.withdraw(pending, error));
  }

  async scoreLogProbs(
    sequences: readonly SequenceToScore[],
    temperature: number,
    signal?: AbortSignal,
  ) {
    // New weights interrupt a long request once; it begins again under them.
    const once = () => this.turns.urgentWaits;
    const interrupted = await this.score(sequences, { temperature, signal, giveWay: once });
    return interrupted ?? (await this.score(sequences, { temperature, signal }))!;
  }

  async judge(ids: Int32Array, numTop: number, signal?: AbortSignal): Promise<JudgedSequence> {
    return this.inTurn(
      async () => {
        const judged = await judgeSequence(this.options.model, ids, { numTop, signal });
        return { ...judged, weights: this.weights };
      },
      { signal },
    );
  }

  private score(
    sequences: readonly SequenceToScore[],
    how: Pick<ScoreSequencesOptions, "temperature" | "signal" | "giveWay">,
  ) {
    const { model, maxScoreTokens: maxTokens } = this.options;
    const work = async () => {
      const logProbs = await scoreSequences(model, sequences, { ...how, maxTokens });
      return logProbs && { logProbs, weights: this.weights };
    };
    return this.inTurn(work, { signal: how.signal });
  }

  loadWeights(weights: ParsedWeights, tensors: TensorMap): Promise<void> {
    const work = () =>
      new Promise<void>((resolve, reject) => {
        this.swap = { weights, tensors, resolve, reject };
        this.run();
      });
    return this.inTurn(work, { urgent: true });
  }

  weightsOf(version: number): ParsedWeights | undefined {
    return this.versions.get(version);
  }

  private get weights(): ParsedWeights {
    return this.versions.latest;
  }

  status(): EngineStatus {
    const { weights, engine, numTokensGenerated, numSteps, busyMs } = this;
    const { maxActive, maxQueued } = this.options;
    const numActive = engine?.numActive ?? 0;
    const numQueued = this.sequences.size - numActive;
    const counts = { numActive, numQueued, maxActive, maxQueued, numTokensGenerated, numSteps };
    return { weights, ...counts, busyMs };
  }

  async close(): Promise<void> {
    this.closed = true;
    const error = new StagecraftError("unavailable", "the server is shutting down");
    this.failAll(error);
    this.swap?.reject(error);
    this.swap = undefined;
    await this.looping;
    await this.turns.idle();
    clearTimeout(this.resting);
    this.engine?.close();
    this.options.model.dispose();
  }

  private withdraw(pending: Pending, error: StagecraftError): void {
    if (!this.sequences.delete(pending)) return;
    this.room.leave(pending.request);
    if (pending.handle !== undefined) {
      this.engine?.cancel(pending.handle);
      this.byHandle.delete(pending.handle);
    }
    pending.sink.fail(error);
  }

  private failAll(error: StagecraftError): void {
    for (const pending of [...this.sequences]) this.withdraw(pending, error);
  }

  private inTurn<T>(work: () => Promise<T>, options: TurnOptions): Promise<T> {
    return this.turns.run(async () => {
      if (this.closed) throw new StagecraftError("unavailable", "the server is shutting down");
      return work();
    }, options);
  }

  private run(): void {
    clearTimeout(this.resting);
    this.looping ??= this.loop().finally(() => {
      this.looping = undefined;
      this.restLater();
    });
  }

  private restLater(): void {
    const { restAfterMs, model } = this.options;
    if (restAfterMs === undefined || this.closed) return;
    clearTimeout(this.resting);
    this.resting = setTimeout(() => {
      if (this.looping || this.closed) return;
      this.engine?.close();
      this.engine = undefined;
      releaseWeights(model.weights.embedding);
      releaseIdleMemory();
    }, restAfterMs).unref();
  }

  /** Steps while there is something to do. Weights change here only, between two steps. */
  private async loop(): Promise<void> {
    await this.settle();
    while (!this.closed) {
      this.applySwap();
      if (!this.engine && this.sequences.size === 0) return;
      const engine = (this.engine ??= this.newEngine());
      this.feed(engine);
      if (engine.numActive + engine.numWaiting === 0) return;
      const startedAt = performance.now();
      try {
        const numBefore = engine.numDecodeSteps;
        const events = await engine.step();
        this.numSteps += engine.numDecodeSteps - numBefore;
        this.busyMs += performance.now() - startedAt;
        for (const event of events) this.dispatch(event);
        this.options.onStep?.();
      } catch (thrown) {
        this.restart(StagecraftError.from(thrown));
      }
    }
  }

  /**
   * Before the first step after a rest: waits while requests keep coming, so that a burst starts
   * together and ends together instead of being dragged out over many half-empty steps.
   */
  private async settle(): Promise<void> {
    const { startWaitMs } = this.options;
    const endsAt = performance.now() + startWaitMs;
    let numBefore = -1;
    while (this.sequences.size > numBefore && performance.now() < endsAt) {
      numBefore = this.sequences.size;
      await delay(Math.min(QUIET_MS, startWaitMs));
    }
    await nextTurn();
  }

  private applySwap(): void {
    const { swap } = this;
    if (!swap) return;
    this.swap = undefined;
    try {
      if (this.engine) this.engine.setWeights(swap.weights.version, swap.tensors);
      else this.options.model.load(swap.tensors, { adopt: "shared" });
      this.versions.add(swap.weights);
      this.options.onWeights?.(swap.weights);
      swap.resolve();
    } catch (error) {
      swap.reject(error);
    }
  }

  /** Hands requests on whose weights have arrived. */
  private feed(engine: GenerationEngine): void {
    for (const pending of this.sequences) {
      const { request } = pending;
      if (pending.handle !== undefined) continue;
      if (request.minWeightVersion > this.weights.version) continue;
      try {
        const { promptIds, sampling, numTop } = request;
        pending.handle = engine.add({ promptIds, params: sampling, numTop });
        this.byHandle.set(pending.handle, pending);
      } catch (thrown) {
        this.withdraw(pending, StagecraftError.from(thrown));
      }
    }
  }

  private dispatch(event: GenerationEvent): void {
    const pending = this.byHandle.get(event.handle);
    if (!pending) return;
    this.numTokensGenerated++;
    const { id: tokenId, logProb, top, weightVersion, finishReason, text } = event;
    if (finishReason) {
      this.sequences.delete(pending);
      this.room.leave(pending.request);
      this.byHandle.delete(event.handle);
    }
    pending.sink.push({
      tokenIds: [tokenId],
      logProbs: [logProb],
      weightVersions: [weightVersion],
      tops: top && [top],
      finishReason,
      text,
    });
  }

  /** After a failed step the engine's state is unknown: everybody in it fails, a new one starts. */
  private restart(error: StagecraftError): void {
    this.logger.error({ err: error }, "a decode step failed");
    for (const pending of [...this.byHandle.values()]) this.withdraw(pending, error);
    this.engine?.close();
    this.engine = this.newEngine();
  }

  private newEngine(): GenerationEngine {
    const { model, tokenizer, maxActive, maxPrefillTokens } = this.options;
    const weightVersion = this.weights.version;
    return createGenerationEngine(model, {
      maxSequences: maxActive,
      maxPrefillTokens,
      maxTokens: this.kvTokens,
      tokenizer,
      weightVersion,
      onFailure: (handle, error) => this.failOne(handle, error),
    });
  }

  private failOne(handle: number, error: StagecraftError): void {
    this.logger.error({ err: error }, "a sequence failed");
    const pending = this.byHandle.get(handle);
    if (pending) this.withdraw(pending, error);
  }
}

/** The budget in tokens; more than the places can hold is not needed. */
function kvTokensOf({ model, maxActive, kvCacheBytes = 0 }: LocalEngineOptions): number {
  const most = maxActive * model.config.maxPositions;
  if (kvCacheBytes === 0) return most;
  const perToken = kvBytesPerToken(model.config);
  const kvTokens = Math.min(most, Math.floor(kvCacheBytes / perToken));
  if (kvTokens >= 2) return kvTokens;
  throw new StagecraftError(
    "invalid_argument",
    `kvCacheBytes is ${kvCacheBytes}, one token of this model takes ${perToken}; give it more`,
  );
}
