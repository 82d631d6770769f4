import { createHash } from "node:crypto";

/**
 * Divides records for validation by the hash of a key, such as the first message: records with the
 * same key stay on one side, and adding records moves none.
 */
export function holdOut<T>(
  records: readonly T[],
  fraction: number,
  keyOf: (record: T) => string,
): { train: T[]; validation: T[] } {
  const train: T[] = [];
  const validation: T[] = [];
  for (const record of records) {
    const draw = createHash("sha256").update(keyOf(record)).digest().readUInt32LE(0) / 2 ** 32;
    (draw < fraction ? validation : train).push(record);
  }
  return { train, validation };
}
