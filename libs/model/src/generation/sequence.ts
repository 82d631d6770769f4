import { createRandom, deriveSeed, StagecraftError, type Random } from "@stagecraft/core";
import type { TokenFilters } from "@stagecraft/tensor";
import type { Tokenizer } from "@stagecraft/tokenizer";
import {
  isPlain,
  sampleToken,
  shapesLogits,
  type SampledToken,
  type SamplingParams,
} from "./sampling.js";
import { createStopMatcher, type StopMatcher } from "./stop-matcher.js";

/** Why an answer ended: the end token, a stop text, or a limit on its length. */
export type FinishReason = "eos" | "stop" | "length";

export interface SequenceOptions {
  readonly promptIds: Int32Array;
  readonly params: SamplingParams;
  /** Tokens that end the answer, the most usual first. */
  readonly endIds: readonly number[];
  /** Ids that are never drawn, since they stand for no token. */
  readonly tokenless?: Int32Array | undefined;
  readonly tokenizer?: Pick<Tokenizer, "streamDecoder"> | undefined;
  /** Longest prompt and answer together. */
  readonly maxLength: number;
  /** So many of the likeliest tokens are told with each token; undefined = none is asked for. */
  readonly numTop?: number | undefined;
}

/**
 * One answer in the making. Its randomness comes from its own seed alone, so that it does not
 * depend on what else is generated at the same time.
 */
export class Sequence {
  readonly ids: number[];
  readonly numPromptTokens: number;
  /** How many of `ids` the decoder holds. */
  numDecoded = 0;
  /** The prompt and the longest answer. */
  readonly maxTokens: number;
  /** What limits the choice beside the temperature, if anything. */
  readonly filters: TokenFilters | undefined;
  private readonly random: Random;
  private readonly matcher: StopMatcher | undefined;

  constructor(private readonly options: SequenceOptions) {
    const { promptIds, params, tokenizer } = options;
    this.ids = [...promptIds];
    this.numPromptTokens = promptIds.length;
    this.maxTokens = Math.min(options.maxLength, promptIds.length + params.maxNewTokens);
    if (!isPlain(params)) this.filters = { ...params, history: this.ids };
    this.random = createRandom(deriveSeed(params.seed, "sampling"));
    if (tokenizer) this.matcher = createStopMatcher(tokenizer, params.stop);
    else if (params.stop.length > 0) {
      throw new StagecraftError("invalid_argument", "stop texts need a tokenizer to find them");
    }
  }

  get numPending(): number {
    return this.ids.length - this.numDecoded;
  }

  /** Tokens to be drawn until its length ends it. */
  get numLeft(): number {
    return this.maxTokens - this.ids.length;
  }

  /**
   * The one end token that a decoder is told; what it draws behind another one is not taken up.
   */
  get eosId(): number | undefined {
    return this.options.endIds[0];
  }

  /** Whether each token is to be chosen here, from the logits. */
  get needsLogits(): boolean {
    return this.options.tokenless !== undefined || shapesLogits(this.options.params);
  }

  /** How many of the likeliest tokens are told with each token, if any are asked for. */
  get numTop(): number | undefined {
    return this.options.numTop;
  }

  /** Whether each token changes how the next one is to be drawn. */
  get drawsOneByOne(): boolean {
    const { params, numTop } = this.options;
    return params.repetitionPenalty !== 1 || shapesLogits(params) || numTop !== undefined;
  }

  /** What the decoder has not seen yet. */
  pending(): Int32Array {
    const { ids, numDecoded } = this;
    const pending = new Int32Array(ids.length - numDecoded);
    for (let i = 0; i < pending.length; i++) pending[i] = ids[numDecoded + i]!;
    return pending;
  }

  get temperature(): number {
    return this.options.params.temperature;
  }

  /** The random number of the next token in [0, 1), exact in fp32; greedy answers draw none. */
  nextUniform(): number {
    return this.temperature === 0 ? 0 : Math.floor(this.random.nextFloat() * 2 ** 24) / 2 ** 24;
  }

  /** Samples from the logits after `pending()`. */
  sample(logits: Float32Array): SampledToken {
    const { params, tokenless } = this.options;
    const answer = shapesLogits(params) ? this.ids.slice(this.numPromptTokens) : [];
    return sampleToken(logits, params, this.random, { history: this.ids, tokenless, answer });
  }

  /** Takes the token that follows `pending()`; why the answer ends with it, if it does. */
  accept(id: number): FinishReason | undefined {
    this.numDecoded = this.ids.length;
    this.ids.push(id);
    return this.judge(id);
  }

  /** The answer, without what follows a stop text; undefined without a tokenizer. */
  text(): string | undefined {
    return this.matcher?.text();
  }

  private judge(id: number): FinishReason | undefined {
    const { endIds, params, maxLength } = this.options;
    if (endIds.includes(id)) return "eos";
    if (this.matcher?.push(id)) return "stop";
    const numNew = this.ids.length - this.numPromptTokens;
    return numNew >= params.maxNewTokens || this.ids.length >= maxLength ? "length" : undefined;
  }
}
