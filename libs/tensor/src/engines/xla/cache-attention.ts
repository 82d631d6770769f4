import type { tf } from "../../tf.js";
import type { AttentionOptions } from "../../types.js";
import type { Attend } from "../blocks.js";
import { attend } from "../reference/attention.js";
import type { XlaBackend } from "./backend.js";
import { concat, gather, reshape, scatter } from "./hlo.js";
import { positionMaskOf } from "./masks.js";
import type { Value } from "./value.js";

/**
 * Keys and values of all slots in a layer, [slots, length, Hkv·d]. Heads before length would spare a
 * transposition, and were measured slower on a CPU: a token's row is then written in pieces.
 */
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
  const { R, n, slots, positions, seen } = places;
  const column = (x: Value) => reshape(x, [R * n, 1]);
  return (q, k, v, options: AttentionOptions) => {
    const at = concat([column(slots), column(positions)], 1); // [R·n, 2]
    const write = (table: Value, rows: tf.Tensor) =>
      scatter(table, at, backend.value(rows), "replace");
    tables.keys = write(tables.keys, k);
    tables.values = write(tables.values, v);
    const length = tables.keys.shape[1]!;
    const visible = (table: Value) => {
      const own = seen ? gather(table, seen, 0) : table; // [R, L, W]
      return backend.tensor<tf.Tensor2D>(reshape(own, [R * length, k.shape[1]]));
    };
    const mask = positionMaskOf(reshape(positions, [R, n]), length, options.window);
    return attend(
      q,
      { keys: visible(tables.keys), values: visible(tables.values) },
      { mask: backend.tensor(mask) },
      options,
    );
  };
}
