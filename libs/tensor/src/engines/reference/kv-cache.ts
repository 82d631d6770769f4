import { tf } from "../../tf.js";
import type { DecoderRow, DecoderWeights } from "../decoder.js";
import { MASKED, type AttentionCache } from "./attention.js";
import { decoderHidden } from "./decoder.js";
import type { SequenceCache } from "./sequence-cache.js";

/** Tables grow by at least so many rows before those that no slot holds are looked for. */
const SLACK_ROWS = 64;

interface Table {
  readonly keys: tf.Tensor2D; // [rows, Hkv·d]
  readonly values: tf.Tensor2D;
}

/**
 * Keys and values of all slots, on the device: every layer is a table with a row for each token, and a
 * slot is a list of rows. A fork copies the list; rows that no slot holds any more go now and then.
 */
export class KvCache implements SequenceCache {
  private readonly slots: number[][];
  /** One a layer, undefined while nothing was written. */
  private tables: (Table | undefined)[];
  private numRows = 0;
  private compactAt = SLACK_ROWS;

  constructor({ numLayers, maxSequences }: { numLayers: number; maxSequences: number }) {
    this.slots = Array.from({ length: maxSequences }, () => []);
    this.tables = new Array<undefined>(numLayers).fill(undefined);
  }

  lengthOf(slot: number): number {
    return this.slots[slot]!.length;
  }

  fork(from: number, to: number, length: number): void {
    this.slots[to] = this.slots[from]!.slice(0, length);
  }

  truncate(slot: number, length: number): void {
    this.slots[slot]!.length = length;
  }

  groupOf(numTokens: number): number {
    return numTokens;
  }

  read(rows: readonly DecoderRow[], weights: DecoderWeights): tf.Tensor2D {
    const slots = rows.map(({ slot }) => slot);
    const count = rows[0]!.ids.length;
    const [batchSize, length] = [rows.length, count];
    const ids = Int32Array.from(rows.flatMap((row) => [...row.ids]));
    const positions = Int32Array.from(
      ids,
      (_, i) => this.lengthOf(slots[Math.floor(i / count)]!) + (i % count),
    );
    const last = Int32Array.from(rows, (_, r) => (r + 1) * count - 1);
    return this.extend(slots, count, (caches) =>
      tf.tidy(() => decoderHidden(ids, weights, { batchSize, length, positions }, last, caches)),
    );
  }

  /**
   * Runs `read` with a cache for each layer, every one to be extended once by `count` new tokens of each
   * slot. They are the slots' own when it returns; when it throws, the slots are as they were.
   */
  private extend<T>(
    slots: readonly number[],
    count: number,
    read: (caches: AttentionCache[]) => T,
  ): T {
    if (this.numRows > this.compactAt) this.compact();
    const rows = slots.map((slot, i) => {
      const fresh = Array.from({ length: count }, (_, k) => this.numRows + i * count + k);
      return [...this.slots[slot]!, ...fresh];
    });
    const view = viewOf(rows, count);
    const grown: Table[] = [];
    try {
      const result = read(
        this.tables.map((table, layer) => ({
          mask: view.mask,
          extend(keys, values) {
            const { keys: allKeys, values: allValues } = (grown[layer] = {
              keys: joined(table?.keys, keys),
              values: joined(table?.values, values),
            });
            return {
              keys: tf.gather(allKeys, view.index),
              values: tf.gather(allValues, view.index),
            };
          },
        })),
      );
      slots.forEach((slot, i) => (this.slots[slot] = rows[i]!));
      this.numRows += slots.length * count;
      this.tables = grown.splice(0, grown.length, ...present(this.tables)); // the old ones go below
      return result;
    } finally {
      disposeTables(grown);
      view.dispose();
    }
  }

  dispose(): void {
    disposeTables(present(this.tables));
    this.tables = [];
  }

  /** Leaves out the rows that no slot holds. */
  private compact(): void {
    const kept = [...new Set(this.slots.flat())];
    const places = new Map(kept.map((row, place) => [row, place]));
    const old = present(this.tables);
    if (kept.length < this.numRows) {
      const index = tf.tensor1d(kept, "int32");
      const pick = (rows: tf.Tensor2D) => tf.keep(tf.gather(rows, index));
      this.tables = old.map(({ keys, values }) => ({ keys: pick(keys), values: pick(values) }));
      disposeTables(old);
      index.dispose();
      for (const slot of this.slots) slot.forEach((row, i) => (slot[i] = places.get(row)!));
      this.numRows = kept.length;
    }
    this.compactAt = 2 * this.numRows + SLACK_ROWS;
  }
}

function joined(before: tf.Tensor2D | undefined, rows: tf.Tensor2D): tf.Tensor2D {
  return tf.keep(before ? tf.concat([before, rows], 0) : tf.clone(rows));
}

/**
 * Which rows of the tables the new tokens see, [B·L], and the masks of those, one a window. Shorter
 * sequences repeat a row of their own behind their end, so that no other sequence can matter.
 */
function viewOf(rows: readonly number[][], count: number) {
  const longest = Math.max(...rows.map(({ length }) => length));
  const index = new Int32Array(rows.length * longest);
  rows.forEach((own, b) => {
    index.fill(own[0]!, b * longest, (b + 1) * longest).set(own, b * longest);
  });
  const indexTensor = tf.tensor1d(index, "int32");
  const lengths = rows.map(({ length }) => length);
  const masks = new Map<number, tf.Tensor>();
  return {
    index: indexTensor,
    mask(window = longest): tf.Tensor {
      const mask = masks.get(window) ?? tf.keep(maskOf(lengths, { count, longest, window }));
      masks.set(window, mask);
      return mask;
    },
    dispose: () => tf.dispose([indexTensor, ...masks.values()]),
  };
}

/** [B, 1, 1, n, L] of sequences that end in `count` new tokens. */
function maskOf(
  lengths: readonly number[],
  { count, longest, window }: { count: number; longest: number; window: number },
): tf.Tensor {
  const mask = new Float32Array(lengths.length * count * longest).fill(MASKED);
  lengths.forEach((length, b) => {
    for (let i = 0; i < count; i++) {
      const [start, end] = [(b * count + i) * longest, length - count + i + 1];
      mask.fill(0, start + Math.max(0, end - window), start + end);
    }
  });
  return tf.tensor(mask, [lengths.length, 1, 1, count, longest]);
}

const present = (tables: readonly (Table | undefined)[]) =>
  tables.filter((table) => table !== undefined);

function disposeTables(tables: readonly Table[]): void {
  for (const { keys, values } of tables) tf.dispose([keys, values]);
}
