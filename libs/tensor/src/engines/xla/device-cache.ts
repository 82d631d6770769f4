import { tf } from "../../tf.js";
import { composeDecoder, type BlockOperations } from "../blocks.js";
import type {
  DecoderOptions,
  DecoderRow,
  DecoderWeights,
  StepResult,
  StepSampling,
} from "../decoder.js";
import { groupsOf } from "../reference/decode-session.js";
import type { SequenceCache } from "../reference/sequence-cache.js";
import type { XlaBackend } from "./backend.js";
import { attendTables, type Tables } from "./cache-attention.js";
import { CacheSizes, type TableSize } from "./cache-sizes.js";
import { concat, gather, reshape, scatter } from "./hlo.js";
import { StepPrograms } from "./step-programs.js";
import { sameShape, splat, type Value } from "./value.js";

/** Keys and values of all slots in a layer, [slots, Hkv, length, d]. */
interface Layer {
  keys: tf.Tensor;
  values: tf.Tensor;
}

/** One call's new tokens, padded to sizes that few programs serve. */
interface Batch {
  /** Rows and tokens a row. */
  readonly R: number;
  readonly n: number;
  /** [R·n] */
  readonly ids: Int32Array;
  readonly positions: Int32Array;
  /** [R·n] slot of each token, a slot that does not exist for padding: what is written there is dropped. */
  readonly slots: Int32Array;
  /** [R] slot that each row sees; any for padding. Undefined where row i sees slot i of all there are. */
  readonly seen: Int32Array | undefined;
  /** [R] the last token of each row, in the order of the call; then any. */
  readonly last: Int32Array;
}

/**
 * Keys and values in tables on the device that every call overwrites in place: a slot is a row, a token lies at
 * its position. Rows, tokens a row, slots and lengths are rounded up (`CacheSizes`), so that a handful of
 * compiled programs serve a session; what is added is never seen.
 */
export class DeviceCache implements SequenceCache {
  private readonly lengths: Int32Array;
  private layers: Layer[] = [];
  /** The layers' tables as recorded steps know them; see `tables`. */
  private known: Tables[] = [];
  private size: TableSize = { numSlots: 0, length: 0 };
  private readonly sizes: CacheSizes;
  private readonly steps: StepPrograms;

  constructor(
    private readonly backend: XlaBackend,
    private readonly ops: BlockOperations,
    private readonly about: { weights: DecoderWeights; options: DecoderOptions },
  ) {
    this.lengths = new Int32Array(about.options.maxSequences);
    const widths = about.weights.layers.map(({ attention }) => attention.k.weight.shape[0]);
    const bytesPerToken = widths.reduce((sum, width) => sum + 2 * 4 * width, 0); // keys and values of f32
    this.sizes = new CacheSizes(about.options, bytesPerToken);
    this.steps = new StepPrograms(backend, ops);
  }

  lengthOf(slot: number): number {
    return this.lengths[slot]!;
  }

  groupOf(numTokens: number): number {
    return this.sizes.tokens(numTokens);
  }

  read(rows: readonly DecoderRow[], weights: DecoderWeights): tf.Tensor2D {
    this.makeRoom(rows);
    const { R, n, ids, positions, slots, seen, last } = this.batchOf(rows);
    const { backend } = this;
    const places = {
      ...{ R, n },
      slots: backend.input(slots, [R * n]),
      positions: backend.input(positions, [R * n]),
      seen: seen && backend.input(seen, [R]),
    };
    const tables = this.tables();
    const attends = tables.map((layer) => attendTables(backend, layer, places));
    const layout = { batchSize: R, length: n, positions };
    const hidden = composeDecoder(this.ops, ids, weights, layout, { rows: last, attends });
    this.layers.forEach((layer, i) => this.update(layer, (_, name) => tables[i]![name]));
    for (const { slot, ids: own } of rows) this.lengths[slot]! += own.length;
    return hidden;
  }

  /** All but the last token of each row are read first, then one program serves rows of any number of tokens. */
  draw(rows: readonly DecoderRow[], weights: DecoderWeights, sampling: StepSampling): StepResult {
    this.makeRoom(rows); // for all at once: growing is a program of its own
    const beginnings = rows
      .filter(({ ids }) => ids.length > 1)
      .map(({ slot, ids }) => ({ slot, ids: ids.subarray(0, -1) }));
    for (const members of groupsOf(this, beginnings)) {
      tf.tidy(() => {
        this.read(
          members.map((at) => beginnings[at]!),
          weights,
        );
      });
      this.backend.flush();
    }
    const { limits, numTokens = 1 } = sampling;
    this.makeRoom(
      rows.map(({ slot }, i) => ({ slot, ids: new Int32Array(limits?.[i] ?? numTokens) })),
    );
    this.backend.flush();
    const numRows = this.sizes.rows(rows.length, 1, this.size.numSlots);
    const numTurns = this.sizes.turns(numTokens);
    const drawn = this.steps.run(
      rows.map(({ slot, ids }) => ({ slot, id: ids.at(-1)!, position: this.lengthOf(slot) })),
      { weights, sampling, tables: this.tables(), numRows, numTurns },
    );
    rows.forEach(({ slot }, i) => (this.lengths[slot]! += drawn.counts[i]!));
    return drawn;
  }

  fork(from: number, to: number, length: number): void {
    if (length > 0) {
      this.makeRoom([], to);
      const input = (slot: number) => this.backend.input(Int32Array.of(slot), [1]);
      for (const layer of this.layers) {
        this.update(layer, (table) => {
          const row = gather(table, input(from), 0); // [1, Hkv, L, d]
          return scatter(table, reshape(input(to), [1, 1]), row, "replace");
        });
      }
      this.backend.flush(); // a program of its own: what follows stays the program that it was
    }
    this.lengths[to] = length;
  }

  truncate(slot: number, length: number): void {
    this.lengths[slot] = length;
  }

  dispose(): void {
    for (const { keys, values } of this.layers) tf.dispose([keys, values]);
    this.layers = [];
  }

  private batchOf(rows: readonly DecoderRow[]): Batch {
    const { numSlots } = this.size;
    const n = this.groupOf(rows[0]!.ids.length);
    const R = this.sizes.rows(rows.length, n, numSlots);
    const seen = R === numSlots ? undefined : new Int32Array(R);
    const batch: Batch = {
      ...{ R, n, seen },
      ids: new Int32Array(R * n),
      positions: new Int32Array(R * n),
      slots: new Int32Array(R * n).fill(numSlots),
      last: new Int32Array(R),
    };
    rows.forEach(({ slot, ids }, r) => {
      const [start, held] = [(seen ? r : slot) * n, this.lengthOf(slot)];
      batch.ids.set(ids, start);
      ids.forEach((_, i) => (batch.positions[start + i] = held + i));
      batch.slots.fill(slot, start, start + ids.length);
      if (seen) seen[r] = slot;
      batch.last[r] = start + ids.length - 1;
    });
    return batch;
  }

  /**
   * Tables that were computed are the values of before again, with other buffers: recorded steps that read
   * those stay as they are.
   */
  private tables(): Tables[] {
    this.layers.forEach((layer, i) => {
      for (const name of ["keys", "values"] as const) {
        const table = layer[name];
        const [known, now] = [this.known[i]![name], this.backend.value(table)];
        if (now === known || now.origin.kind !== "device") continue;
        [known.origin, now.origin] = [now.origin, { kind: "gone" }];
        layer[name] = tf.keep(this.backend.tensor(known));
        table.dispose();
      }
    });
    return this.values();
  }

  private values(): Tables[] {
    const { backend } = this;
    return this.layers.map(({ keys, values }) => {
      return { keys: backend.value(keys), values: backend.value(values) };
    });
  }

  /** Tables for the slots and lengths that come. */
  private makeRoom(rows: readonly DecoderRow[], slot = 0): void {
    const before = this.size;
    const after = this.sizes.tables(before, {
      numSlots: Math.max(slot, ...rows.map((row) => row.slot)) + 1,
      length: Math.max(0, ...rows.map((row) => this.lengthOf(row.slot) + row.ids.length)),
    });
    const { numSlots, length } = after;
    if (numSlots === before.numSlots && length === before.length) return;
    if (this.layers.length === 0) this.layers = this.emptyLayers(after);
    else {
      for (const layer of this.layers)
        this.update(layer, (table) => grown(table, numSlots, length));
      this.backend.flush();
    }
    this.size = after;
    this.known = this.values();
  }

  private emptyLayers({ numSlots, length }: TableSize): Layer[] {
    const { layers, attentionOptions } = this.about.weights;
    const { numKvHeads } = attentionOptions;
    return layers.map(({ attention }) => {
      const size = attention.k.weight.shape[0] / numKvHeads;
      const empty = () => {
        const table = this.backend.tensor(splat([numSlots, numKvHeads, length, size], "f32", 0));
        this.backend.settle(table); // an input of the first program as of all others
        return tf.keep(table);
      };
      return { keys: empty(), values: empty() };
    });
  }

  /** Puts new tables in place of a layer's, in the same memory where their sizes are the same. */
  private update(layer: Layer, change: (table: Value, name: keyof Layer) => Value): void {
    for (const name of ["keys", "values"] as const) {
      const old = layer[name];
      const [before, after] = [this.backend.value(old), change(this.backend.value(old), name)];
      if (sameShape(before.shape, after.shape)) after.replaces = before;
      layer[name] = tf.keep(this.backend.tensor(after));
      old.dispose();
    }
  }
}

/** A table with zeros behind its slots and tokens. */
function grown(table: Value, numSlots: number, length: number): Value {
  const [slots, heads, tokens, size] = table.shape as [number, number, number, number];
  const longer = concatZeros(table, [slots, heads, length - tokens, size], 2);
  return concatZeros(longer, [numSlots - slots, heads, length, size], 0);
}

function concatZeros(table: Value, shape: number[], axis: number): Value {
  return shape[axis] === 0 ? table : concat([table, splat(shape, "f32", 0)], axis);
}
