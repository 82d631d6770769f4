import { setImmediate as nextTurn, setTimeout as delay } from "node:timers/promises";
import type { TensorMap } from "@stagecraft/checkpoint";
import type { ParsedWeights } from "@stagecraft/contracts";
import { StagecraftError, throwIfAborted } from "@stagecraft/core";
import {
  createGenerationEngine,
  type GenerationEngine,
  type GenerationEvent,
  type Model,
} from "@stagecraft/model";
import { silentLogger, type Logger } from "@stagecraft/telemetry";
import type { Tokenizer } from "@stagecraft/tokenizer";
import type {
  EngineStatus,
  PolicyEngine,
  PolicyModelFacts,
  SequenceRequest,
  SequenceToScore,
  TokenChunk,
} from "./engine.js";
import { scoreSequences } from "./score-sequences.js";
import { createTokenChannel, type TokenChannel } from "./token-channel.js";

export interface LocalEngineOptions {
  /** The name requests use. */
  name: string;
  /** Disposed with the engine; nobody else may change its weights. */
  model: Model;
  tokenizer: Tokenizer;
  /** Sequences in a decode step. */
  maxActive: number;
  /** Sequences waiting beyond those; more are refused. */
  maxQueued: number;
  /** Prompt tokens read in one step. */
  maxPrefillTokens: number;
  /** Longest wait for more requests before the first step after a rest; 0 starts at once. */
  startWaitMs: number;
  /** Tokens of one forward pass when log-probs are scored. */
  maxScoreTokens: number;
  logger?: Logger;
}

/** Past versions whose hashes can still be named. */
const KEPT_VERSIONS = 256;
/** A burst is over when nothing came for so long. */
const QUIET_MS = 2;

/** An engine on this thread. It gives the event loop a turn after every step. */
export function createLocalEngine(options: LocalEngineOptions): PolicyEngine {
  return new LocalEngine(options);
}

interface Pending {
  request: SequenceRequest;
  channel: TokenChannel;
  /** In the generation engine; undefined while it waits for weights. */
  handle: number | undefined;
}

interface Swap {
  weights: ParsedWeights;
  tensors: TensorMap;
  resolve(): void;
  reject(error: unknown): void;
}

class LocalEngine implements PolicyEngine {
  readonly facts: PolicyModelFacts;
  private engine: GenerationEngine;
  private readonly sequences = new Set<Pending>();
  private readonly byHandle = new Map<number, Pending>();
  private readonly versions = new Map<number, ParsedWeights>();
  private weights: ParsedWeights = { version: 0, sha256: "", step: 0 };
  private swap: Swap | undefined;
  /** Scoring and swapping exclude each other, so that scores come from one set of weights. */
  private turn: Promise<unknown> = Promise.resolve();
  private looping: Promise<void> | undefined;
  private closed = false;
  private numTokensGenerated = 0;
  private numSteps = 0;
  private readonly logger: Logger;

  constructor(private readonly options: LocalEngineOptions) {
    const { model, name, tokenizer } = options;
    const { architecture, vocabSize, maxPositions } = model.config;
    const { numParams } = model;
    this.facts = { name, architecture, numParams, vocabSize, maxPositions, tokenizer };
    this.logger = options.logger ?? silentLogger();
    this.versions.set(0, this.weights);
    this.engine = this.newEngine();
  }

  submit(requests: readonly SequenceRequest[], signal: AbortSignal): AsyncIterable<TokenChunk>[] {
    throwIfAborted(signal);
    this.checkRoom(requests.length);
    const added = requests.map((request) => this.enqueue(request));
    const onAbort = () => {
      const error = new StagecraftError("cancelled", "the caller cancelled", {
        cause: signal.reason,
      });
      for (const pending of added) this.withdraw(pending, error);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    this.run();
    return added.map(({ channel }) => channel.chunks());
  }

  scoreLogProbs(sequences: readonly SequenceToScore[], temperature: number) {
    return this.inTurn(async () => {
      const { model, maxScoreTokens } = this.options;
      const maxTokens = maxScoreTokens;
      const logProbs = await scoreSequences(model, sequences, { temperature, maxTokens });
      return { logProbs, weights: this.weights };
    });
  }

  loadWeights(weights: ParsedWeights, tensors: TensorMap): Promise<void> {
    return this.inTurn(
      () =>
        new Promise<void>((resolve, reject) => {
          this.swap = { weights, tensors, resolve, reject };
          this.run();
        }),
    );
  }

  weightsOf(version: number): ParsedWeights | undefined {
    return this.versions.get(version);
  }

  status(): EngineStatus {
    const { weights, engine, numTokensGenerated, numSteps } = this;
    const { maxActive, maxQueued } = this.options;
    const numActive = engine.numActive;
    const numQueued = this.sequences.size - numActive;
    return { weights, numActive, numQueued, maxActive, maxQueued, numTokensGenerated, numSteps };
  }

  async close(): Promise<void> {
    this.closed = true;
    const error = new StagecraftError("unavailable", "the server is shutting down");
    this.failAll(error);
    this.swap?.reject(error);
    this.swap = undefined;
    await this.looping;
    await this.turn.catch(() => undefined);
    this.engine.close();
    this.options.model.dispose();
  }

  private checkRoom(numNew: number): void {
    if (this.closed) throw new StagecraftError("unavailable", "the server is shutting down");
    const numFree = this.options.maxActive + this.options.maxQueued - this.sequences.size;
    if (numNew <= numFree) return;
    throw new StagecraftError(
      "resource_exhausted",
      `${numNew} sequences do not fit into the ${numFree} free places; try later`,
      { details: { numNew, numFree } },
    );
  }

  private enqueue(request: SequenceRequest): Pending {
    const abandon = () => this.withdraw(pending, new StagecraftError("cancelled", "not read on"));
    const channel = createTokenChannel(abandon);
    const pending: Pending = { request, channel, handle: undefined };
    this.sequences.add(pending);
    return pending;
  }

  private withdraw(pending: Pending, error: StagecraftError): void {
    if (!this.sequences.delete(pending)) return;
    if (pending.handle !== undefined) {
      this.engine.cancel(pending.handle);
      this.byHandle.delete(pending.handle);
    }
    pending.channel.fail(error);
  }

  private failAll(error: StagecraftError): void {
    for (const pending of [...this.sequences]) this.withdraw(pending, error);
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.turn.then(() => {
      if (this.closed) throw new StagecraftError("unavailable", "the server is shutting down");
      return work();
    });
    this.turn = result.catch(() => undefined);
    return result;
  }

  private run(): void {
    this.looping ??= this.loop().finally(() => (this.looping = undefined));
  }

  /** Steps while there is something to do. Weights change here only, between two steps. */
  private async loop(): Promise<void> {
    await this.settle();
    while (!this.closed) {
      this.applySwap();
      this.feed();
      if (this.engine.numActive + this.engine.numWaiting === 0) return;
      try {
        const events = await this.engine.step();
        this.numSteps++;
        for (const event of events) this.dispatch(event);
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
      this.engine.setWeights(swap.weights.version, swap.tensors);
      this.weights = swap.weights;
      this.versions.set(swap.weights.version, swap.weights);
      const [oldest] = this.versions.keys();
      if (this.versions.size > KEPT_VERSIONS) this.versions.delete(oldest!);
      swap.resolve();
    } catch (error) {
      swap.reject(error);
    }
  }

  /** Hands requests on whose weights have arrived. */
  private feed(): void {
    for (const pending of this.sequences) {
      const { request } = pending;
      if (pending.handle !== undefined) continue;
      if (request.minWeightVersion > this.weights.version) continue;
      try {
        const { promptIds, sampling } = request;
        pending.handle = this.engine.add({ promptIds, params: sampling });
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
    const { id: tokenId, logProb, weightVersion, finishReason, text } = event;
    if (finishReason) {
      this.sequences.delete(pending);
      this.byHandle.delete(event.handle);
    }
    pending.channel.push({ tokenId, logProb, weightVersion, finishReason, text });
  }

  /** After a failed step the engine's state is unknown: everybody in it fails, a new one starts. */
  private restart(error: StagecraftError): void {
    this.logger.error({ err: error }, "a decode step failed");
    for (const pending of [...this.byHandle.values()]) this.withdraw(pending, error);
    this.engine.close();
    this.engine = this.newEngine();
  }

  private newEngine(): GenerationEngine {
    const { model, tokenizer, maxActive, maxPrefillTokens } = this.options;
    const weightVersion = this.weights.version;
    return createGenerationEngine(model, {
      maxSequences: maxActive,
      maxPrefillTokens,
      tokenizer,
      weightVersion,
    });
  }
}
