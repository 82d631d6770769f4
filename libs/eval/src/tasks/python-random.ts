/**
 * Python's `random.Random(seed)` as far as `sample` needs it: the Mersenne Twister MT19937 of Matsumoto
 * and Nishimura (1998), seeded by `init_by_array` as CPython does. lm-eval draws the worked examples of
 * a task with it, so the same seed draws the same examples.
 */
export interface PythonRandom {
  /** As `random.sample(range(size), count)`: so many different indices. Throws when there are fewer. */
  sample(size: number, count: number): number[];
}

const N = 624;
const M = 397;

/** A generator as Python seeds it with a whole number from 0 to 2^32 − 1. */
export function pythonRandom(seed: number): PythonRandom {
  const twister = new Twister(seed);
  const below = (bound: number) => {
    const bits = 32 - Math.clz32(bound);
    let drawn = twister.next() >>> (32 - bits);
    while (drawn >= bound) drawn = twister.next() >>> (32 - bits);
    return drawn;
  };
  return {
    sample(size, count) {
      if (count > size) throw new RangeError(`cannot draw ${count} of ${size}`);
      // CPython chooses between a list and a set by their sizes; the draws differ.
      const setSize = 21 + (count > 5 ? 4 ** Math.ceil(Math.log(count * 3) / Math.log(4)) : 0);
      return size <= setSize ? fromPool(size, count, below) : fromSet(size, count, below);
    },
  };
}

type Below = (bound: number) => number;

function fromPool(size: number, count: number, below: Below): number[] {
  const pool = Array.from({ length: size }, (_, i) => i);
  return Array.from({ length: count }, (_, i) => {
    const at = below(size - i);
    const drawn = pool[at]!;
    pool[at] = pool[size - i - 1]!;
    return drawn;
  });
}

function fromSet(size: number, count: number, below: Below): number[] {
  const drawn = new Set<number>();
  while (drawn.size < count) drawn.add(below(size));
  return [...drawn];
}

class Twister {
  private readonly state = new Uint32Array(N);
  private at = N;

  constructor(seed: number) {
    this.fill(19650218);
    const { state } = this;
    let i = 1;
    // The key has one word, the seed, whose index is 0 throughout.
    for (let k = N; k > 0; k--) {
      const mixed = Math.imul(previous(state, i), 1664525);
      state[i] = ((state[i]! ^ mixed) >>> 0) + seed;
      i = this.after(i);
    }
    for (let k = N - 1; k > 0; k--) {
      const mixed = Math.imul(previous(state, i), 1566083941);
      state[i] = ((state[i]! ^ mixed) >>> 0) - i;
      i = this.after(i);
    }
    state[0] = 0x80000000;
  }

  next(): number {
    if (this.at === N) this.turn();
    let y = this.state[this.at++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  private fill(seed: number): void {
    this.state[0] = seed;
    for (let i = 1; i < N; i++) this.state[i] = Math.imul(previous(this.state, i), 1812433253) + i;
  }

  private after(i: number): number {
    if (i + 1 < N) return i + 1;
    this.state[0] = this.state[N - 1]!;
    return 1;
  }

  private turn(): void {
    const { state } = this;
    for (let i = 0; i < N; i++) {
      const y = (state[i]! & 0x80000000) | (state[(i + 1) % N]! & 0x7fffffff);
      state[i] = state[(i + M) % N]! ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.at = 0;
  }
}

function previous(state: Uint32Array, i: number): number {
  return (state[i - 1]! ^ (state[i - 1]! >>> 30)) >>> 0;
}
