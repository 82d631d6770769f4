import type { tf } from "../../tf.js";
import type { AttentionOptions } from "../../types.js";
import type { Attend } from "../blocks.js";
import { attendHeads } from "../reference/attention.js";
import type { XlaBackend } from "./backend.js";
import { binary, broadcast, concat, gather, iota, reshape, scatter } from "./hlo.js";
import { positionMaskOf } from "./masks.js";
import { splat, type Value } from "./value.js";

/** Keys and values of all slots in a layer, [slots, Hkv, length, d]: as the products of attention read them. */
export interface Tables {
  keys: Value;
  values: Value;
}

/** Where n new tokens of each of R rows go, and what they see. */
export interface Places {
  readonly R: number;
  readonly n: number;
  /** [R·n] A slot that does not exist for padding: what is written there is dropped. */
  readonly slots: Value;
  /** [R·n] */
  readonly positions: Value;
  /** [R] the slot that each row sees; undefined where row i sees slot i of all there are. */
  readonly seen: Value | undefined;
}

/** Attention over tables that takes the new keys and values into them; `tables` has the new ones then. */
export function attendTables(backend: XlaBackend, tables: Tables, places: Places): Attend {
  const { R, n, positions, seen } = places;
  return (q, k, v, options: AttentionOptions) => {
    const [numSlots, G, length, d] = tables.keys.shape as [number, number, number, number];
    const at = headPlaces(places, G);
    const write = (table: Value, rows: tf.Tensor) => {
      const flat = reshape(table, [numSlots * G, length, d]);
      const updates = reshape(backend.value(rows), [R * n * G, d]);
      return reshape(scatter(flat, at, updates, "replace"), table.shape);
    };
    tables.keys = write(tables.keys, k);
    tables.values = write(tables.values, v);
    const visible = (table: Value) =>
      backend.tensor<tf.Tensor4D>(seen ? gather(table, seen, 0) : table); // [R, Hkv, L, d]
    const mask = positionMaskOf(reshape(positions, [R, n]), length, options.window);
    return attendHeads(
      q,
      { keys: visible(tables.keys), values: visible(tables.values) },
      { mask: backend.tensor(mask) },
      options,
    );
  };
}

/** [R·n·Hkv, 2]: of each head of each new token, its row among slots and heads, and its position. */
function headPlaces({ R, n, slots, positions }: Places, G: number): Value {
  const shape = [R * n, G];
  const first = binary("multiply", slots, splat([], "i32", G));
  const heads = binary("add", broadcast(first, shape, [0]), iota(shape, 1));
  const column = (x: Value) => reshape(x, [R * n * G, 1]);
  return concat([column(heads), column(broadcast(positions, shape, [0]))], 1);
}
