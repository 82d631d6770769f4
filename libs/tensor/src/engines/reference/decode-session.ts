import { checkIds, fail } from "../../checks.js";
import { tf } from "../../tf.js";
import type { Decoder, DecoderOptions, DecoderRow, DecoderWeights } from "../decoder.js";
import { capped } from "./attention.js";
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

  constructor(
    private readonly cache: SequenceCache,
    private readonly weights: DecoderWeights,
    private readonly options: DecoderOptions,
  ) {
    this.vocab = weights.lm.shape[0];
    this.held = mapTensors(weights, hold);
  }

  async append(rows: readonly DecoderRow[]): Promise<Float32Array> {
    this.check(rows);
    const { vocab } = this;
    const logits = new Float32Array(rows.length * vocab);
    for (const members of this.groups(rows)) {
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
    return tf.tidy(() => {
      const hidden = cache.read(rows, held); // [R, D]
      const { divisor = 1, softcap } = held.logits ?? {};
      const all = tf.matMul(hidden, held.lm, false, true);
      const plain = divisor === 1 ? all : (tf.div(all, divisor) as tf.Tensor2D);
      return (softcap === undefined ? plain : capped(plain, softcap)) as tf.Tensor2D;
    });
  }

  /** Indices of the rows, by group. */
  private groups(rows: readonly DecoderRow[]): Iterable<number[]> {
    const groups = new Map<number, number[]>();
    rows.forEach(({ ids }, at) => {
      const key = this.cache.groupOf(ids.length);
      const group = groups.get(key);
      if (group) group.push(at);
      else groups.set(key, [at]);
    });
    return groups.values();
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
