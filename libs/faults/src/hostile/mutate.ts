import type { Random } from "@stagecraft/core";

const pick = <T>(random: Random, list: readonly T[]): T => list[random.nextInt(list.length)]!;

/** Numbers that have broken programs before. */
const NUMBERS = [
  0,
  -0,
  1,
  -1,
  NaN,
  Infinity,
  -Infinity,
  1e-45,
  1e-40,
  3e38,
  -3e38,
  1e300,
  2 ** 31,
  2 ** 53,
  0.5,
];
/** Texts that have. */
const TEXTS = [
  "",
  "__proto__",
  "constructor",
  "\u0000",
  "../../etc/passwd",
  "\ud800",
  "a".repeat(5000),
  "\u001b[2J",
  "é中🙂",
  "<|end|>",
  "-",
  "{}",
  "null",
];

/** A value like the given one with some parts of it changed for the worse. */
export function mutateValue(value: unknown, random: Random, depth = 0): unknown {
  if (random.nextInt(12) === 0) return replacement(random, depth);
  if (Array.isArray(value)) return mutateList(value, random, depth);
  if (value instanceof Date || value instanceof Uint8Array) return value;
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).map(([key, part]) => {
      return [
        random.nextInt(40) === 0 ? pick(random, TEXTS) : key,
        mutateValue(part, random, depth + 1),
      ];
    });
    return Object.fromEntries(entries.filter(() => random.nextInt(30) !== 0)) as unknown;
  }
  if (random.nextInt(4) !== 0) return value;
  if (typeof value === "number") return pick(random, NUMBERS);
  return typeof value === "string" ? pick(random, TEXTS) : value;
}

function mutateList(list: readonly unknown[], random: Random, depth: number): unknown[] {
  const parts = list.map((part) => mutateValue(part, random, depth + 1));
  if (random.nextInt(8) === 0) return [];
  if (random.nextInt(8) === 0) return [...parts, ...parts];
  return parts;
}

function replacement(random: Random, depth: number): unknown {
  const kind = random.nextInt(6);
  if (kind === 0) return pick(random, NUMBERS);
  if (kind === 1) return pick(random, TEXTS);
  if (kind === 2) return null;
  if (kind === 3) return [];
  if (kind === 4 && depth < 3) return nested(1 + random.nextInt(200));
  return {};
}

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < depth; i++) value = i % 2 === 0 ? [value] : { a: value };
  return value;
}

/** Bytes with some of them flipped, cut off, doubled or made up. */
export function mutateBytes(bytes: Uint8Array, random: Random): Uint8Array {
  const changed = Buffer.from(bytes);
  for (let i = random.nextInt(4); i > 0 && changed.length > 0; i--) {
    changed[random.nextInt(changed.length)] = random.nextInt(256);
  }
  const kind = random.nextInt(6);
  if (kind === 0) return changed.subarray(0, random.nextInt(changed.length + 1));
  if (kind === 1) return Buffer.concat([changed, changed]);
  if (kind === 2)
    return Buffer.from(Array.from({ length: random.nextInt(200) }, () => random.nextInt(256)));
  return changed;
}
