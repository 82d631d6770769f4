/** Serializable generator state: four unsigned 32-bit words. */
export type RandomState = readonly [number, number, number, number];

/**
 * A seeded generator (xoshiro128++, Blackman & Vigna 2019): period 2^128 − 1, state of four words.
 * Same seed, same stream, on every machine.
 */
export interface Random {
  /** Uniform integer in [0, 2^32). */
  nextUint32(): number;
  /** Uniform double in [0, 1) with 53 random bits (two words of the stream). */
  nextFloat(): number;
  /** Uniform integer in [0, bound), without modulo bias; 1 ≤ bound ≤ 2^32. */
  nextInt(bound: number): number;
  /** Standard normal deviate (Box–Muller, two draws a call, no hidden state). */
  nextNormal(): number;
  /** One element, uniformly. Throws on an empty list. */
  pick<T>(items: readonly T[]): T;
  /** Shuffles in place (Fisher–Yates) and returns the same array. */
  shuffle<T extends { length: number; [index: number]: unknown }>(items: T): T;
  /** An independent stream named by the label; does not advance this one. */
  fork(label: string | number): Random;
  state(): RandomState;
}

/** A generator from any seed; strings and numbers never collide by accident of formatting. */
export function createRandom(seed: string | number): Random {
  return restoreRandom(expandSeed([seed]));
}

/** The generator that continues exactly where `state()` was taken. */
export function restoreRandom(state: RandomState): Random {
  return new Xoshiro128(state);
}

/** One unsigned 32-bit seed from several parts, e.g. `deriveSeed(seed, "rollout", step, index)`. */
export function deriveSeed(...parts: readonly (string | number)[]): number {
  return expandSeed(parts)[0];
}

class Xoshiro128 implements Random {
  private a: number;
  private b: number;
  private c: number;
  private d: number;

  constructor(state: RandomState) {
    [this.a, this.b, this.c, this.d] = state.map((word) => word >>> 0) as [
      number,
      number,
      number,
      number,
    ];
  }

  nextUint32(): number {
    const sum = (this.a + this.d) | 0;
    const result = (((sum << 7) | (sum >>> 25)) + this.a) >>> 0;
    const t = this.b << 9;
    this.c ^= this.a;
    this.d ^= this.b;
    this.b ^= this.c;
    this.a ^= this.d;
    this.c ^= t;
    this.d = (this.d << 11) | (this.d >>> 21);
    return result;
  }

  nextFloat(): number {
    const high = this.nextUint32() >>> 5;
    const low = this.nextUint32() >>> 6;
    return (high * 67_108_864 + low) / 9_007_199_254_740_992;
  }

  nextInt(bound: number): number {
    if (!Number.isInteger(bound) || bound < 1 || bound > 2 ** 32) {
      throw new RangeError(`nextInt needs an integer bound from 1 to 2^32, got ${bound}`);
    }
    const limit = 2 ** 32 - (2 ** 32 % bound); // reject the incomplete last block
    let draw = this.nextUint32();
    while (draw >= limit) draw = this.nextUint32();
    return draw % bound;
  }

  nextNormal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.nextFloat()));
    return radius * Math.cos(2 * Math.PI * this.nextFloat());
  }

  pick<T>(items: readonly T[]): T {
    return items[this.nextInt(items.length)] as T;
  }

  shuffle<T extends { length: number; [index: number]: unknown }>(items: T): T {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.nextInt(i + 1);
      const held = items[i];
      items[i] = items[j];
      items[j] = held;
    }
    return items;
  }

  fork(label: string | number): Random {
    return restoreRandom(expandSeed([...this.state(), label]));
  }

  state(): RandomState {
    return [this.a >>> 0, this.b >>> 0, this.c >>> 0, this.d >>> 0];
  }
}

/** FNV-1a over the typed parts, stretched to four words by the splitmix32 finalizer. */
function expandSeed(parts: readonly (string | number)[]): RandomState {
  let hash = 0x811c9dc5;
  for (const part of parts) {
    const text = typeof part === "number" ? `n${part};` : `s${part.length}:${part};`;
    for (let i = 0; i < text.length; i++) {
      hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    }
  }
  const word = () => {
    hash = (hash + 0x9e3779b9) | 0;
    let mixed = Math.imul(hash ^ (hash >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  };
  const state: RandomState = [word(), word(), word(), word()];
  return state.some((part) => part !== 0) ? state : [1, 0, 0, 0]; // all zero is a fixed point
}
