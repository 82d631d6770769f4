import { setImmediate as nextTurn } from "node:timers/promises";
import { StagecraftError } from "@stagecraft/core";
import type { TensorMap } from "@stagecraft/checkpoint";
import type { Tokenizer } from "@stagecraft/tokenizer";
import { checkRange } from "../batch.js";
import type { Model } from "../model.js";
import { createDecoder, type Decoder } from "./decoder.js";
import { drawTokens, readShared, type Active, type Group } from "./draw-tokens.js";
import { resolveSampling, type SampledToken, type SamplingParams } from "./sampling.js";
import { Sequence, type FinishReason } from "./sequence.js";

export interface GenerationRequest {
  readonly promptIds: Int32Array;
  readonly params?: Partial<SamplingParams>;
  /** The token that ends an answer; default that of the engine's tokenizer. */
  readonly eosId?: number | undefined;
}

/** One sampled token. */
export interface GenerationEvent {
  readonly handle: number;
  /** Number of the token within the answer, from 0. */
  readonly index: number;
  readonly id: number;
  /** Under the temperature-only softmax of the weights named by `weightVersion`. */
  readonly logProb: number;
  readonly weightVersion: number;
  /** Set on the last token of an answer. */
  readonly finishReason?: FinishReason;
  /** Whole text of the answer, cut before a stop text; on the last token, with a tokenizer. */
  readonly text?: string;
}

export interface GenerationEngineOptions {
  /** Sequences that grow at the same time; others wait. */
  maxSequences: number;
  /** Longest prompt and answer together; default the model's maxPositions. */
  maxLength?: number;
  /** Finds stop texts, the end token and the text of answers. */
  tokenizer?: Pick<Tokenizer, "streamDecoder" | "specials">;
  /** Version of the weights that the model holds now; default 0. */
  weightVersion?: number;
  /**
   * Prompt tokens read in one step before the rest waits for the next, so that long prompts do not
   * starve running answers; at least one prompt goes through. Default 512.
   */
  maxPrefillTokens?: number;
}

/**
 * Continuous batching: every step adds one token to each active sequence, and sequences join and
 * leave between steps. Owns its decoder, not the model. Not re-entrant: one `step` at a time.
 */
export interface GenerationEngine {
  /** Queues a request; throws `invalid_argument` when it can never run. */
  add(request: GenerationRequest): number;
  /**
   * One token for every active sequence that had its turn; [] when there is nothing to do. Gives
   * the event loop a turn before it resolves. When it throws, the engine must be closed.
   */
  step(): Promise<GenerationEvent[]>;
  /** Forgets a request and frees its slot; false when it is not known (any more). */
  cancel(handle: number): boolean;
  /**
   * Overwrites the model's weights before the next step. Running answers go on under the new
   * weights: what they hold is read again, so that every log-prob is exactly that of its version.
   * Throws `failed_precondition` at once when the tensors do not fit.
   */
  setWeights(version: number, tensors: TensorMap): void;
  readonly numActive: number;
  readonly numWaiting: number;
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
  private readonly freeSlots: number[];
  private readonly waiting = new Map<number, Sequence>();
  private readonly active = new Map<number, Active>();
  private readonly abandonedSlots: number[] = [];
  private nextHandle = 1;
  private stepping = false;
  private weightsChanged = false;

  constructor(
    private readonly model: Model,
    private readonly options: GenerationEngineOptions,
  ) {
    const { maxSequences, maxLength = model.config.maxPositions, weightVersion = 0 } = options;
    this.maxLength = maxLength;
    this.weightVersion = weightVersion;
    this.decoder = createDecoder(model, { maxSequences, maxLength });
    this.freeSlots = Array.from({ length: maxSequences }, (_, slot) => maxSequences - 1 - slot);
  }

  get numActive(): number {
    return this.active.size;
  }

  get numWaiting(): number {
    return this.waiting.size;
  }

  add({ promptIds, params = {}, eosId }: GenerationRequest): number {
    this.checkPrompt(promptIds);
    const { tokenizer } = this.options;
    const handle = this.nextHandle++;
    const sequence = new Sequence({
      promptIds,
      params: resolveSampling(params),
      eosId: eosId ?? tokenizer?.specials.eos,
      tokenizer,
      maxLength: this.maxLength,
    });
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
      for (const slot of this.abandonedSlots.splice(0)) this.release(slot);
    }
  }

  cancel(handle: number): boolean {
    if (this.waiting.delete(handle)) return true;
    const active = this.active.get(handle);
    if (!active) return false;
    this.active.delete(handle);
    // A running step may still write to the slot.
    if (this.stepping) this.abandonedSlots.push(active.slot);
    else this.release(active.slot);
    return true;
  }

  setWeights(version: number, tensors: TensorMap): void {
    if (this.stepping) {
      throw new StagecraftError("failed_precondition", "setWeights must come between steps");
    }
    this.model.load(tensors);
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
    const groups = this.chooseRows();
    if (groups.length === 0) return [];
    await readShared(this.decoder, groups);
    const members = groups.flat();
    const tokens = await drawTokens(this.decoder, members, this.model.config.vocabSize);
    const events = members.flatMap((member, i) => this.accept(member, tokens[i]!));
    await nextTurn();
    return events;
  }

  private accept(member: Active, { id, logProb }: SampledToken): GenerationEvent[] {
    const { handle, slot, sequence } = member;
    if (!this.active.has(handle)) return []; // cancelled while the step ran
    sequence.accept(id);
    const index = sequence.ids.length - sequence.numPromptTokens - 1;
    const event = { handle, index, id, logProb, weightVersion: this.weightVersion };
    const { finishReason } = sequence;
    if (!finishReason) return [event];
    this.active.delete(handle);
    this.release(slot);
    const text = sequence.text();
    return [{ ...event, finishReason, ...(text === undefined ? {} : { text }) }];
  }

  private admit(): void {
    for (const [handle, sequence] of this.waiting) {
      const slot = this.freeSlots.pop();
      if (slot === undefined) return;
      this.waiting.delete(handle);
      this.active.set(handle, { handle, slot, sequence });
    }
  }

  /**
   * What to read next: every sequence that needs one token, and longer ones while the budget lasts.
   * Sequences that are to read the same tokens from the start, such as K answers to one prompt,
   * form a group that reads them once.
   */
  private chooseRows(): Group[] {
    let budget = this.options.maxPrefillTokens ?? 512;
    let numPrefills = 0;
    const groups = new Map<string | number, Group>();
    for (const active of this.active.values()) {
      const { ids, numDecoded } = active.sequence;
      const numPending = ids.length - numDecoded;
      const key = numDecoded === 0 ? ids.join() : active.handle;
      const group = groups.get(key);
      if (group) {
        group.push(active);
      } else if (numPending === 1 || numPrefills === 0 || numPending <= budget) {
        if (numPending > 1) {
          numPrefills++;
          budget -= numPending;
        }
        groups.set(key, [active]);
      }
    }
    return [...groups.values()];
  }

  /** Old keys and values belong to the old weights. */
  private readAgain(): void {
    this.weightsChanged = false;
    this.decoder.refreshWeights();
    for (const { slot, sequence } of this.active.values()) {
      this.decoder.reset(slot);
      sequence.numDecoded = 0;
    }
  }

  private release(slot: number): void {
    this.decoder.reset(slot);
    this.freeSlots.push(slot);
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
