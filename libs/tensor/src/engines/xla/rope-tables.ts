import type { tf } from "../../tf.js";
import type { Rope } from "../../types.js";
import { anglesAt, type Angles } from "../reference/attention.js";
import type { XlaBackend } from "./backend.js";
import { gather, reshape } from "./hlo.js";
import { Value } from "./value.js";

/** Cosines and sines by position, [P, n] each. */
interface Table {
  readonly numPositions: number;
  readonly cos: Value;
  readonly sin: Value;
}

/** Positions that a table has at least; it grows by doubling. */
const MIN_POSITIONS = 256;

/** The angles of models on the device: a program picks rows of a table and never computes an angle. */
export function createRopeTables(backend: XlaBackend) {
  const keys = new WeakMap<Rope, string>();
  const tables = new Map<string, Table>();

  function keyOf(rope: Rope): string {
    const key = keys.get(rope) ?? `${rope.scale ?? 1} ${rope.frequencies.join()}`;
    keys.set(rope, key);
    return key;
  }

  function tableOf(rope: Rope, least: number): Table {
    const key = keyOf(rope);
    const known = tables.get(key);
    if (known && known.numPositions >= least) return known;
    let numPositions = MIN_POSITIONS;
    while (numPositions < least) numPositions *= 2;
    if (known) backend.retire([known.cos, known.sin]);
    const table = createTable(backend, rope, numPositions);
    tables.set(key, table);
    return table;
  }

  return {
    /** At the positions of N rows. */
    angles(rope: Rope, positions: Int32Array): Angles {
      const least = positions.reduce((most, position) => Math.max(most, position + 1), 1);
      const { cos, sin } = tableOf(rope, least);
      const at = backend.input(positions, [positions.length]);
      const shape = [positions.length, 1, rope.frequencies.length];
      const pick = (table: Value) =>
        backend.tensor<tf.Tensor3D>(reshape(gather(table, at, 0), shape));
      return { cos: pick(cos), sin: pick(sin) };
    },
  };
}

function createTable(backend: XlaBackend, rope: Rope, numPositions: number): Table {
  const all = Int32Array.from({ length: numPositions }, (_, i) => i);
  const { cos, sin } = anglesAt(all, rope);
  const settled = (array: Float32Array) => {
    const shape = [numPositions, rope.frequencies.length];
    const value = new Value(shape, "f32", { kind: "host", array });
    backend.device.upload(value);
    return value;
  };
  return { numPositions, cos: settled(cos), sin: settled(sin) };
}
