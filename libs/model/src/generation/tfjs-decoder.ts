import { StagecraftError } from "@stagecraft/core";
import {
  embedding,
  gelu,
  layerNorm,
  linear,
  rmsNorm,
  rotary,
  swiglu,
  tf,
  type NormWeights,
} from "@stagecraft/tensor";
import { checkRange } from "../batch.js";
import type { Model } from "../model.js";
import type { LayerWeights } from "../weights.js";
import type { Decoder, DecoderOptions, DecoderRow } from "./decoder.js";
import { createKvCache, type KvCache } from "./kv-cache.js";

/** Vanishes after exp and leaves the maximum finite, as in the reference attention. */
const MASKED = -1e30;

/**
 * The decoder in plain TFJS operations, for every engine. Rows that bring the same number of tokens
 * run as one batch without padding their queries; keys and values wait on the host.
 */
export function createTfjsDecoder(model: Model, options: DecoderOptions): Decoder {
  return new TfjsDecoder(model, options);
}

/** Rows of one batch: `count` new tokens each, `longest` tokens of keys at most. */
interface Group {
  readonly caches: readonly KvCache[];
  readonly ids: Int32Array;
  readonly positions: Int32Array;
  readonly count: number;
  readonly longest: number;
}

class TfjsDecoder implements Decoder {
  private readonly caches: KvCache[] = [];
  private readonly headSize: number;

  constructor(
    private readonly model: Model,
    private readonly options: DecoderOptions,
  ) {
    this.headSize = model.config.hiddenSize / model.config.numHeads;
  }

  async append(rows: readonly DecoderRow[]): Promise<Float32Array> {
    this.check(rows);
    const { vocabSize } = this.model.config;
    const logits = new Float32Array(rows.length * vocabSize);
    for (const members of groupByCount(rows)) {
      const tensor = tf.tidy(() => this.forward(this.groupOf(members.map((at) => rows[at]!))));
      const values = (await tensor.data()) as Float32Array;
      tensor.dispose();
      members.forEach((at, i) => {
        logits.set(values.subarray(i * vocabSize, (i + 1) * vocabSize), at * vocabSize);
      });
    }
    return logits;
  }

  fork(from: number, to: number, length: number): void {
    const source = this.cacheOf(from);
    if (length > source.length || from === to) {
      throw invalid(
        `cannot copy ${length} tokens of slot ${from} (${source.length}) to slot ${to}`,
      );
    }
    this.cacheOf(to).copyFrom(source, length);
  }

  reset(slot: number): void {
    this.caches[slot]?.truncate(0);
  }

  truncate(slot: number, length: number): void {
    const cache = this.cacheOf(slot);
    if (length > cache.length) {
      throw invalid(`cannot keep ${length} tokens of slot ${slot}, which holds ${cache.length}`);
    }
    cache.truncate(length);
  }

  refreshWeights(): void {
    // The variables themselves are read at every step.
  }

  dispose(): void {
    this.caches.length = 0;
  }

  private groupOf(rows: readonly DecoderRow[]): Group {
    const caches = rows.map(({ slot }) => this.cacheOf(slot));
    const count = rows[0]!.ids.length;
    return {
      caches,
      count,
      ids: Int32Array.from(rows.flatMap(({ ids }) => [...ids])),
      positions: Int32Array.from(
        caches.flatMap(({ length }) => Array.from({ length: count }, (_, i) => length + i)),
      ),
      longest: Math.max(...caches.map(({ length }) => length)) + count,
    };
  }

  /** Logits after the last token of each row, [R, V]. */
  private forward(group: Group): tf.Tensor2D {
    const { weights } = this.model;
    const mask = causalMask(group);
    let x = this.embed(group); // [R·n, D]
    weights.layers.forEach((layer, index) => {
      x = tf.tidy(() => this.block(x, layer, { index, group, mask }));
    });
    group.caches.forEach((cache) => cache.advance(group.count));
    const last = group.caches.map((_, row) => (row + 1) * group.count - 1);
    return linear(this.norm(tf.gather(x, last), weights.finalNorm), weights.lm!);
  }

  private embed({ ids, positions }: Group): tf.Tensor2D {
    const { weights } = this.model;
    const tokens = embedding(ids, weights.embedding);
    return weights.positions ? tf.add(tokens, embedding(positions, weights.positions)) : tokens;
  }

  private block(
    x: tf.Tensor2D,
    layer: LayerWeights,
    at: { index: number; group: Group; mask: tf.Tensor },
  ): tf.Tensor2D {
    const { q, k, v, o } = layer.attention;
    const normed = this.norm(x, layer.attention.norm);
    const { numHeads, numKvHeads } = this.model.config;
    const query = this.rotate(linear(normed, q.weight, q.bias), at.group, numHeads);
    const key = this.rotate(linear(normed, k.weight, k.bias), at.group, numKvHeads);
    const mixed = this.attend(query, key, linear(normed, v.weight, v.bias), at);
    const attended: tf.Tensor2D = tf.add(x, linear(mixed, o.weight, o.bias));
    return tf.add(attended, this.mlp(attended, layer.mlp));
  }

  private mlp(x: tf.Tensor2D, { norm, gate, up, down }: LayerWeights["mlp"]): tf.Tensor2D {
    const normed = this.norm(x, norm);
    const wide = linear(normed, up.weight, up.bias);
    const active = gate ? swiglu(linear(normed, gate.weight, gate.bias), wide) : gelu(wide);
    return linear(active, down.weight, down.bias);
  }

  private norm(x: tf.Tensor2D, { weight, bias }: NormWeights): tf.Tensor2D {
    const { architecture, normEps } = this.model.config;
    return architecture === "llama"
      ? rmsNorm(x, weight, normEps)
      : layerNorm(x, weight, bias, normEps);
  }

  private rotate(x: tf.Tensor2D, { positions }: Group, numHeads: number): tf.Tensor2D {
    const { architecture, ropeTheta } = this.model.config;
    return architecture === "llama" ? rotary(x, positions, { numHeads, theta: ropeTheta }) : x;
  }

  /** Writes the new keys and values and attends over all: [R·n, H·d]. */
  private attend(
    query: tf.Tensor2D,
    key: tf.Tensor2D,
    value: tf.Tensor2D,
    { index, group, mask }: { index: number; group: Group; mask: tf.Tensor },
  ): tf.Tensor2D {
    const { caches, count: n } = group;
    const [keys, values] = [key.dataSync(), value.dataSync()] as [Float32Array, Float32Array];
    caches.forEach((cache, row) => {
      cache.write(index, { keys, values, first: row * n, count: n });
    });
    const { numHeads: H, numKvHeads: G } = this.model.config;
    const [R, L, d, share] = [caches.length, group.longest, this.headSize, H / G];
    const q5 = tf.transpose(tf.reshape(query, [R, n, G, share, d]), [0, 2, 3, 1, 4]);
    const q4 = tf.reshape(q5, [R, G, share * n, d]);
    const products = tf.matMul(q4, this.gather(index, "keys", group), false, true);
    const scores = tf.mul(products, 1 / Math.sqrt(d)); // [R, G, share·n, L]
    const attention = tf.softmax(tf.add(tf.reshape(scores, [R, G, share, n, L]), mask));
    const mixed = tf.matMul(
      tf.reshape(attention, [R, G, share * n, L]),
      this.gather(index, "values", group),
    ); // [R, G, share·n, d]
    const out = tf.transpose(tf.reshape(mixed, [R, G, share, n, d]), [0, 3, 1, 2, 4]);
    return tf.reshape(out, [R * n, H * d]);
  }

  /** Keys or values of all rows, zero beyond each row's length: [R, G, L, d]. */
  private gather(layer: number, which: "keys" | "values", group: Group): tf.Tensor4D {
    const { numKvHeads: G } = this.model.config;
    const { caches, count, longest: L } = group;
    const rowSize = G * L * this.headSize;
    const into = new Float32Array(caches.length * rowSize);
    caches.forEach((cache, row) => {
      cache.read(layer, which, {
        into,
        offset: row * rowSize,
        count: cache.length + count,
        stride: L,
      });
    });
    return tf.tensor4d(into, [caches.length, G, L, this.headSize]);
  }

  private cacheOf(slot: number): KvCache {
    const { maxSequences } = this.options;
    if (!Number.isInteger(slot) || slot < 0 || slot >= maxSequences) {
      throw invalid(`slot ${slot} is out of range 0 … ${maxSequences - 1}`);
    }
    const { numLayers, numKvHeads } = this.model.config;
    return (this.caches[slot] ??= createKvCache({
      numLayers,
      numKvHeads,
      headSize: this.headSize,
      maxLength: this.options.maxLength,
    }));
  }

  private check(rows: readonly DecoderRow[]): void {
    const { maxLength } = this.options;
    const seen = new Set<number>();
    for (const { slot, ids } of rows) {
      const length = this.cacheOf(slot).length + ids.length;
      if (seen.has(slot)) throw invalid(`slot ${slot} occurs twice`);
      seen.add(slot);
      if (ids.length === 0) throw invalid(`slot ${slot}: no tokens to append`);
      if (length > maxLength) {
        throw invalid(`slot ${slot}: ${length} tokens, the decoder holds ${maxLength}`);
      }
      checkRange(ids, this.model.config.vocabSize, (id) => {
        return `token id ${id} is outside the vocabulary of ${this.model.config.vocabSize}`;
      });
    }
  }
}

/** Indices of the rows, grouped by how many tokens they bring. */
function groupByCount(rows: readonly DecoderRow[]): Iterable<number[]> {
  const groups = new Map<number, number[]>();
  rows.forEach(({ ids }, at) => {
    const group = groups.get(ids.length);
    if (group) group.push(at);
    else groups.set(ids.length, [at]);
  });
  return groups.values();
}

/** 0 where a new token may look, else MASKED: [R, 1, 1, n, L]. */
function causalMask({ caches, count, longest }: Group): tf.Tensor {
  const mask = new Float32Array(caches.length * count * longest).fill(MASKED);
  caches.forEach(({ length }, row) => {
    for (let i = 0; i < count; i++) {
      const start = (row * count + i) * longest;
      mask.fill(0, start, start + length + i + 1);
    }
  });
  return tf.tensor(mask, [caches.length, 1, 1, count, longest]);
}

function invalid(reason: string): StagecraftError {
  return new StagecraftError("invalid_argument", reason);
}
