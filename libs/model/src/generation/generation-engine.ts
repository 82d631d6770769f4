import { setImmediate as nextTurn } from "node:timers/promises";
import { StagecraftError } from "@stagecraft/core";
import type { TensorMap } from "@stagecraft/checkpoint";
import type { Decoder } from "@stagecraft/tensor";
import type { Tokenizer } from "@stagecraft/tokenizer";
import { checkRange } from "../batch.js";
import type { Model } from "../model.js";
import type { Active } from "./active.js";
import { createDecoder } from "./decoder.js";
import { drawTokens, readAhead, type Drawn } from "./draw-tokens.js";
import { planReads } from "./read-plan.js";
import { resolveSampling, type SampledToken, type SamplingParams } from "./sampling.js";
import { Sequence, type FinishReason } from "./sequence.js";
import { SlotPool } from "./slot-pool.js";
import type { TopToken } from "./top-tokens.js";

export interface GenerationRequest {
  readonly promptIds: Int32Array;
  readonly params?: Partial<SamplingParams>;
  /** The tokens that end an answer; default those of the engine's tokenizer. */
  readonly endIds?: readonly number[] | undefined;
  /** With each token, so many of the likeliest in its place; changes nothing else. Default: none. */
  readonly numTop?: number | undefined;
}

/** One sampled token. */
export interface GenerationEvent {
  readonly handle: number;
  /** Number of the token within the answer, from 0. */
  readonly index: number;
  readonly id: number;
  /** Under the temperature-only softmax of the weights named by `weightVersion`. */
  readonly logProb: number;
  /** The likeliest tokens in its place, where `numTop` was asked for. */
  readonly top?: readonly TopToken[];
  readonly weightVersion: number;
  /** Set on the last token of an answer. */
  readonly finishReason?: FinishReason;
  /** Whole text of the answer, cut before a stop text; on the last token, with a tokenizer. */
  readonly text?: string;
}

/** What generation needs of a tokenizer. */
export type GenerationTokenizer = Pick<Tokenizer, "streamDecoder" | "endIds" | "hasToken">;

export interface GenerationEngineOptions {
  /** Sequences that grow at the same time; others wait. */
  maxSequences: number;
  /** Longest prompt and answer together; default the model's maxPositions. */
  maxLength?: number;
  /** Finds stop texts and the text of answers, and says what ends them and which ids are tokens. */
  tokenizer?: GenerationTokenizer;
  /** Version of the weights that the model holds now; default 0. */
  weightVersion?: number;
  /**
   * Prompt tokens read in one step; longer prompts are read in parts, so that they do not starve
   * running answers. Default 512.
   */
  maxPrefillTokens?: number;
  /**
   * Tokens that all sequences may hold together; each reserves its prompt and its longest answer, and
   * waits until there is room. Default: as many as fit into the slots.
   */
  maxTokens?: number;
  /**
   * Whether sequences that begin with the same tokens share what was read: several answers to one
   * prompt, system prompts, the history of a conversation. Results are the same bits, on engines that are not
   * batch-invariant (`EngineInfo`) the same tokens with log-probs of the same up to rounding. Default true.
   */
  sharePrefixes?: boolean;
  /**
   * Tokens that each sequence may get in one step: what a step costs beside the model is then paid
   * once for all of them. Results are the same as above. Default 16; the plain engines draw one.
   */
  maxTokensPerStep?: number;
  /**
   * How long, by the pace of the step before, a step of several tokens may keep others from their
   * turn; a single token takes as long as it takes. Default 2 ms.
   */
  maxTurnMs?: number;
  /**
   * Told of a request that can have no more tokens: its logits are not finite, or its text cannot be
   * read. The others go on, exactly as without it. Default: the step throws.
   */
  onFailure?: (handle: number, error: StagecraftError) => void;
}

/**
 * Continuous batching: every step adds tokens to each active sequence, and sequences join and
 * leave between steps. Owns its decoder, not the model. Not re-entrant: one `step` at a time.
 */
export interface GenerationEngine {
  /** Queues a request; throws `invalid_argument` when it can never run. */
  add(request: GenerationRequest): number;
  /**
   * One token or more for every active sequence that had its turn; [] when there is nothing to do.
   * Gives the event loop a turn before it resolves. When it throws, the engine must be closed.
   */
  step(): Promise<GenerationEvent[]>;
  /** Forgets a request and frees its slot; false when it is not known (any more). */
  cancel(handle: number): boolean;
  /**
   * Overwrites the model's weights before the next step. Running answers go on under the new
   * weights: what they hold is read again, so that every log-prob is exactly that of its version.
   * Throws `failed_precondition` at once when the tensors do not fit. The arrays become the model's:
   * nobody may write to them any more.
   */
  setWeights(version: number, tensors: TensorMap): void;
  readonly numActive: number;
  readonly numWaiting: number;
  /** Tokens fed to the model so far, and prompt tokens that did not have to be. */
  readonly numTokensRead: number;
  readonly numTokensShared: number;
  /** Decode steps so far: passes through the model that draw one token for each sequence in them. */
  readonly numDecodeSteps: number;
  /** Version that the next step will use. */
  readonly weightVersion: number;
  close(): void;
}

/** An engine with empty slots. Throws when the model has no lm head. */
export function createGenerationEngine(
  model: Model,
  options: GenerationEngineOptions,
): GenerationEngine {
  return new ContinuousBatching(model, options);
}

class ContinuousBatching implements GenerationEngine {
  weightVersion: number;
  private readonly decoder: Decoder;
  private readonly maxLength: number;
  private readonly slots: SlotPool;
  private readonly maxTokens: number;
  private readonly waiting = new Map<number, Sequence>();
  private readonly active = new Map<number, Active>();
  private readonly abandoned: Active[] = [];
  /** Rows of the embeddings that stand for no token: never drawn. */
  private readonly tokenless: Int32Array | undefined;
  private nextHandle = 1;
  private stepping = false;
  private weightsChanged = false;
  /** Of the last step that drew some. */
  private msPerToken: number | undefined;
  numTokensRead = 0;
  numTokensShared = 0;
  numDecodeSteps = 0;

  constructor(
    private readonly model: Model,
    private readonly options: GenerationEngineOptions,
  ) {
    const { maxSequences, maxLength = model.config.maxPositions, weightVersion = 0 } = options;
    this.maxLength = maxLength;
    this.weightVersion = weightVersion;
    this.decoder = createDecoder(model, { maxSequences, maxLength });
    this.tokenless = tokenlessIds(model.config.vocabSize, options.tokenizer);
    this.maxTokens = options.maxTokens ?? maxSequences * maxLength;
    this.slots = new SlotPool(this.decoder, {
      maxSequences,
      maxTokens: this.maxTokens,
      keep: options.sharePrefixes ?? true,
    });
  }

  get numActive(): number {
    return this.active.size;
  }

  get numWaiting(): number {
    return this.waiting.size;
  }

  add({ promptIds, params = {}, endIds, numTop }: GenerationRequest): number {
    this.checkPrompt(promptIds);
    const { tokenizer } = this.options;
    const handle = this.nextHandle++;
    const sequence = new Sequence({
      promptIds,
      params: resolveSampling(params),
      endIds: endIds ?? tokenizer?.endIds ?? [],
      tokenless: this.tokenless,
      tokenizer,
      maxLength: this.maxLength,
      numTop,
    });
    this.checkRoom(sequence);
    this.waiting.set(handle, sequence);
    return handle;
  }

  async step(): Promise<GenerationEvent[]> {
    if (this.stepping) {
      throw new StagecraftError("failed_precondition", "a step of this engine is still running");
    }
    this.stepping = true;
    try {
      return await this.advance();
    } finally {
      this.stepping = false;
      for (const active of this.abandoned.splice(0)) this.release(active);
    }
  }

  cancel(handle: number): boolean {
    if (this.waiting.delete(handle)) return true;
    const active = this.active.get(handle);
    if (!active) return false;
    this.active.delete(handle);
    // A running step may still write to the slot.
    if (this.stepping) this.abandoned.push(active);
    else this.release(active);
    return true;
  }

  setWeights(version: number, tensors: TensorMap): void {
    if (this.stepping) {
      throw new StagecraftError("failed_precondition", "setWeights must come between steps");
    }
    this.model.load(tensors, { adopt: "shared" });
    this.weightVersion = version;
    this.weightsChanged = true;
  }

  close(): void {
    this.waiting.clear();
    this.active.clear();
    this.decoder.dispose();
  }

  private async advance(): Promise<GenerationEvent[]> {
    if (this.weightsChanged) this.readAgain();
    this.admit();
    const plan = planReads(this.active.values(), {
      maxPrefillTokens: this.options.maxPrefillTokens ?? 512,
      share: this.options.sharePrefixes ?? true,
    });
    if (plan.groups.length + plan.parts.length === 0) return [];
    const { numRead, numShared } = await readAhead(this.decoder, plan);
    const members = plan.groups.flat();
    this.numTokensShared += numShared;
    this.numTokensRead += members.reduce((sum, { sequence }) => sum + sequence.numPending, numRead);
    const numTokens = plan.parts.length > 0 ? 1 : this.numTokensOf(members);
    const { vocabSize } = this.model.config;
    const startedAt = performance.now();
    const drawn = await drawTokens(this.decoder, members, { vocabSize, numTokens });
    const numSteps = drawn.reduce((most, { tokens }) => Math.max(most, tokens.length), 0);
    if (numSteps > 0) this.msPerToken = (performance.now() - startedAt) / numSteps;
    this.numDecodeSteps += numSteps;
    this.numTokensRead += drawn.reduce(
      (sum, { tokens }) => sum + Math.max(0, tokens.length - 1),
      0,
    );
    const events = members.flatMap((member, i) => this.accept(member, drawn[i]!));
    await nextTurn();
    return events;
  }

  /** How many tokens to draw at once: one while prompts are read, else what a turn has time for. */
  private numTokensOf(members: readonly Active[]): number {
    const single = members.some(
      ({ sequence }) => sequence.numPending > 1 || sequence.drawsOneByOne,
    );
    if (single || this.msPerToken === undefined) return 1;
    const { maxTokensPerStep = 16, maxTurnMs = 2 } = this.options;
    const longest = members.reduce((most, { sequence }) => Math.max(most, sequence.numLeft), 1);
    const fitting = Math.floor(maxTurnMs / this.msPerToken);
    return Math.max(1, Math.min(maxTokensPerStep, longest, fitting));
  }

  private accept(member: Active, drawn: Drawn): GenerationEvent[] {
    if (!this.active.has(member.handle)) return []; // cancelled while the step ran
    const events: GenerationEvent[] = [];
    try {
      for (const token of drawn.tokens) {
        const event = this.take(member, token);
        events.push(event);
        if (event.finishReason) return events; // what was drawn behind a stop text is not of the answer
      }
      if (drawn.error) throw drawn.error;
    } catch (thrown) {
      this.fail(member, StagecraftError.from(thrown));
    }
    return events;
  }

  private take(member: Active, token: SampledToken): GenerationEvent {
    const { handle, sequence } = member;
    const index = sequence.ids.length - sequence.numPromptTokens;
    const event = { handle, index, ...token, weightVersion: this.weightVersion };
    const finishReason = sequence.accept(token.id);
    if (!finishReason) return event;
    this.active.delete(handle);
    this.release(member);
    const text = sequence.text();
    return { ...event, finishReason, ...(text === undefined ? {} : { text }) };
  }

  /** Keys and values of a sequence that went bad serve nobody else. */
  private fail(member: Active, error: StagecraftError): void {
    const { onFailure } = this.options;
    if (!onFailure) throw error;
    if (this.active.delete(member.handle)) {
      member.sequence.numDecoded = 0;
      this.release(member);
    }
    onFailure(member.handle, error);
  }

  /** First come, first served: a long request that does not fit yet holds up those behind it. */
  private admit(): void {
    for (const [handle, sequence] of this.waiting) {
      const { maxTokens: numTokens } = sequence;
      const taken = this.slots.take(sequence.ids, numTokens);
      if (!taken) return;
      this.waiting.delete(handle);
      sequence.numDecoded = taken.numHeld;
      this.numTokensShared += taken.numHeld;
      this.active.set(handle, { handle, slot: taken.slot, sequence, numTokens });
    }
  }

  /** Old keys and values belong to the old weights. */
  private readAgain(): void {
    this.weightsChanged = false;
    this.decoder.refreshWeights();
    this.slots.forget();
    for (const { slot, sequence } of this.active.values()) {
      this.decoder.reset(slot);
      sequence.numDecoded = 0;
    }
  }

  private release({ slot, sequence, numTokens }: Active): void {
    this.slots.release(slot, { ids: sequence.ids, numHeld: sequence.numDecoded, numTokens });
  }

  private checkRoom({ maxTokens }: Sequence): void {
    if (maxTokens <= this.maxTokens) return;
    throw new StagecraftError(
      "invalid_argument",
      `prompt and answer may take ${maxTokens} tokens, there is room for ${this.maxTokens} in all; ask for a shorter answer`,
      { details: { numTokens: maxTokens, maxTokens: this.maxTokens } },
    );
  }

  private checkPrompt(promptIds: Int32Array): void {
    const { vocabSize } = this.model.config;
    const fits = promptIds.length >= 1 && promptIds.length < this.maxLength;
    if (!fits) {
      throw new StagecraftError(
        "invalid_argument",
        `a prompt of ${promptIds.length} tokens; it must have 1 … ${this.maxLength - 1}`,
      );
    }
    checkRange(promptIds, vocabSize, (id, at) => {
      return `prompt token ${at} is ${id}, outside the vocabulary of ${vocabSize}; is the tokenizer that of this model?`;
    });
  }
}

/**
 * Ids below `vocabSize` that the tokenizer has no token for, or undefined when there are none: tables
 * are padded to a round number of rows, and vocabularies may have holes.
 */
function tokenlessIds(
  vocabSize: number,
  tokenizer: GenerationTokenizer | undefined,
): Int32Array | undefined {
  if (!tokenizer) return undefined;
  const ids: number[] = [];
  for (let id = 0; id < vocabSize; id++) if (!tokenizer.hasToken(id)) ids.push(id);
  return ids.length === 0 ? undefined : Int32Array.from(ids);
}
