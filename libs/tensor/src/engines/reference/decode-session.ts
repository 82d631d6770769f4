import { checkIds, fail } from "../../checks.js";
import { tf } from "../../tf.js";
import type {
  Decoder,
  DecoderOptions,
  DecoderRow,
  DecoderWeights,
  StepResult,
  StepSampling,
} from "../decoder.js";
import { capped } from "./attention.js";
import { checkSampling } from "./check-sampling.js";
import { KvCache } from "./kv-cache.js";
import type { SequenceCache } from "./sequence-cache.js";

/**
 * A decoder in plain TFJS operations; its cache stays on their device. Rows that bring the same number
 * of tokens run as one batch, so that no query is padded.
 */
export function createDecodeSession(weights: DecoderWeights, options: DecoderOptions): Decoder {
  const { maxSequences } = options;
  return sessionOver(
    new KvCache({ numLayers: weights.layers.length, maxSequences }),
    weights,
    options,
  );
}

/** A session that checks its rows and computes logits; the cache does the rest. */
export function sessionOver(
  cache: SequenceCache,
  weights: DecoderWeights,
  options: DecoderOptions,
): Decoder {
  return new DecodeSession(cache, weights, options);
}

class DecodeSession implements Decoder {
  private readonly vocab: number;
  /** The weights as they were at the last refresh. */
  private held: DecoderWeights;
  readonly step?: NonNullable<Decoder["step"]>;

  constructor(
    private readonly cache: SequenceCache,
    private readonly weights: DecoderWeights,
    private readonly options: DecoderOptions,
  ) {
    this.vocab = weights.lm.shape[0];
    this.held = mapTensors(weights, hold);
    if (cache.draw) this.step = (rows, sampling) => this.draw(rows, sampling);
  }

  async append(rows: readonly DecoderRow[]): Promise<Float32Array> {
    this.check(rows);
    const { vocab } = this;
    const logits = new Float32Array(rows.length * vocab);
    for (const members of groupsOf(this.cache, rows)) {
      const tensor = this.read(members.map((at) => rows[at]!));
      const values = (await tensor.data()) as Float32Array;
      tensor.dispose();
      members.forEach((at, i) => {
        logits.set(values.subarray(i * vocab, (i + 1) * vocab), at * vocab);
      });
    }
    return logits;
  }

  fork(from: number, to: number, length: number): void {
    this.checkHeld(from, length);
    this.checkSlot(to);
    if (from === to) fail("fork", `slot ${from} cannot be copied to itself`);
    this.cache.fork(from, to, length);
  }

  reset(slot: number): void {
    this.truncate(slot, 0);
  }

  truncate(slot: number, length: number): void {
    this.checkHeld(slot, length);
    this.cache.truncate(slot, length);
  }

  refreshWeights(): void {
    const old = this.held;
    this.held = mapTensors(this.weights, hold);
    mapTensors(old, release);
  }

  dispose(): void {
    this.cache.dispose();
    mapTensors(this.held, release);
  }

  /** Logits after the last token of rows of one group, [R or more, V]. */
  private read(rows: readonly DecoderRow[]): tf.Tensor2D {
    const { held, cache } = this;
    return tf.tidy(() => logitsOf(cache.read(rows, held), held));
  }

  private draw(rows: readonly DecoderRow[], sampling: StepSampling): StepResult {
    this.check(rows);
    checkSampling(sampling, rows.length, this.vocab);
    this.checkLimits(rows, sampling);
    return this.cache.draw!(rows, this.held, sampling);
  }

  private check(rows: readonly DecoderRow[]): void {
    const { maxLength } = this.options;
    const seen = new Set<number>();
    for (const { slot, ids } of rows) {
      this.checkSlot(slot);
      const length = this.cache.lengthOf(slot) + ids.length;
      if (seen.has(slot)) fail("append", `slot ${slot} occurs twice`);
      seen.add(slot);
      if (ids.length === 0) fail("append", `slot ${slot}: no tokens to append`);
      if (length > maxLength)
        fail("append", `slot ${slot}: ${length} tokens, the decoder holds ${maxLength}`);
      checkIds("append", "ids", ids, this.vocab);
    }
  }

  private checkLimits(rows: readonly DecoderRow[], sampling: StepSampling): void {
    const { numTokens: most = 1, limits, filters } = sampling;
    rows.forEach(({ slot, ids }, i) => {
      const limit = limits?.[i] ?? most;
      const room = this.options.maxLength - this.cache.lengthOf(slot) - ids.length + 1;
      if (!(limit >= 1 && limit <= most))
        fail("step", `limits[${i}] is ${limit}, outside 1 … ${most}`);
      if (limit > room)
        fail("step", `slot ${slot} has room to draw ${room} tokens, got a limit of ${limit}`);
      if (limit > 1 && (filters?.[i]?.repetitionPenalty ?? 1) !== 1)
        fail(
          "step",
          `row ${i} has a repetition penalty, whose history does not grow: its limit must be 1`,
        );
    });
  }

  private checkSlot(slot: number): void {
    const { maxSequences } = this.options;
    if (Number.isInteger(slot) && slot >= 0 && slot < maxSequences) return;
    fail("decoder", `slot ${slot} is out of range 0 … ${maxSequences - 1}`);
  }

  private checkHeld(slot: number, length: number): void {
    this.checkSlot(slot);
    const held = this.cache.lengthOf(slot);
    if (length <= held) return;
    fail("decoder", `slot ${slot} holds ${held} tokens, not the ${length} asked for`);
  }
}

/** Indices of the rows, by group. */
export function groupsOf(
  cache: Pick<SequenceCache, "groupOf">,
  rows: readonly DecoderRow[],
): Iterable<number[]> {
  const groups = new Map<number, number[]>();
  rows.forEach(({ ids }, at) => {
    const key = cache.groupOf(ids.length);
    const group = groups.get(key);
    if (group) group.push(at);
    else groups.set(key, [at]);
  });
  return groups.values();
}

/** Logits [R, V] of hidden states [R, D]. */
export function logitsOf(hidden: tf.Tensor2D, { lm, logits = {} }: DecoderWeights): tf.Tensor2D {
  const { divisor = 1, softcap } = logits;
  const all: tf.Tensor2D = tf.matMul(hidden, lm, false, true);
  const plain: tf.Tensor2D = divisor === 1 ? all : tf.div(all, divisor);
  return softcap === undefined ? plain : capped(plain, softcap);
}

const hold = (tensor: tf.Tensor) => tf.keep(tf.clone(tensor));
const release = (tensor: tf.Tensor) => {
  tensor.dispose();
  return tensor;
};

/** The same structure with every tensor replaced. */
function mapTensors<T>(value: T, f: (tensor: tf.Tensor) => tf.Tensor): T {
  if (value instanceof tf.Tensor) return f(value) as T;
  if (Array.isArray(value)) return value.map((item: unknown) => mapTensors(item, f)) as T;
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, mapTensors<unknown>(item, f)]),
  ) as T;
}
