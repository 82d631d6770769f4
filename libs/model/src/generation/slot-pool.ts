import type { Decoder } from "@stagecraft/tensor";

export interface SlotPoolOptions {
  maxSequences: number;
  /** Tokens that all slots may hold together; see `KvBudget`. */
  maxTokens: number;
  /** Whether what a finished sequence leaves behind may serve the next one. */
  keep: boolean;
}

/** A slot for a sequence, and how much of its beginning the slot holds already. */
export interface TakenSlot {
  slot: number;
  numHeld: number;
}

interface Leftover {
  slot: number;
  /** What the slot holds, [numHeld] of a finished sequence's tokens. */
  ids: readonly number[];
  numHeld: number;
}

/** Below this it is cheaper to read tokens again than to look after them. */
export const SHARE_AT_LEAST = 8;

/**
 * The free slots of a decoder and the room for their tokens. A sequence that ends leaves its keys and
 * values in its slot; one that begins with the same tokens goes on from there. Leftovers go when their
 * slot or their room is needed, the longest unused first.
 */
export class SlotPool {
  private readonly empty: number[];
  /** Least recently used first. */
  private leftovers: Leftover[] = [];
  private numReserved = 0;

  constructor(
    private readonly decoder: Pick<Decoder, "truncate" | "fork">,
    private readonly options: SlotPoolOptions,
  ) {
    const { maxSequences } = options;
    this.empty = Array.from({ length: maxSequences }, (_, slot) => maxSequences - 1 - slot);
  }

  /** Takes a slot and room for `numTokens`; undefined when there is none now. */
  take(ids: readonly number[], numTokens: number): TakenSlot | undefined {
    if (this.empty.length + this.leftovers.length === 0) return undefined;
    if (this.numReserved + numTokens > this.options.maxTokens) return undefined;
    this.numReserved += numTokens;
    const best = this.longestMatch(ids);
    const taken = best ? this.continueFrom(best.leftover, best.length) : this.emptySlot();
    this.makeRoom();
    return taken;
  }

  /** Gives a slot back with what it holds, and its room. */
  release(slot: number, held: { ids: readonly number[]; numHeld: number; numTokens: number }) {
    const { ids, numHeld, numTokens } = held;
    this.numReserved -= numTokens;
    const kept = this.options.keep && numHeld >= SHARE_AT_LEAST ? numHeld : 0;
    this.decoder.truncate(slot, kept);
    if (kept > 0) this.leftovers.push({ slot, ids, numHeld: kept });
    else this.empty.push(slot);
    this.makeRoom();
  }

  /** Drops every leftover: the weights that made them are gone. */
  forget(): void {
    for (const leftover of this.leftovers.splice(0)) this.drop(leftover);
  }

  private longestMatch(ids: readonly number[]) {
    let best: { leftover: Leftover; length: number } | undefined;
    for (const leftover of this.leftovers) {
      const length = numCommon(ids, leftover.ids, leftover.numHeld);
      if (length >= SHARE_AT_LEAST && length >= (best?.length ?? 0)) best = { leftover, length };
    }
    return best;
  }

  /** In place where little is lost or nothing else is free, else as a copy. */
  private continueFrom(leftover: Leftover, length: number): TakenSlot {
    const others = this.leftovers.filter((other) => other !== leftover);
    const inPlace =
      2 * length >= leftover.numHeld || (this.empty.length === 0 && others.length === 0);
    if (inPlace) {
      this.leftovers = others;
      this.decoder.truncate(leftover.slot, length);
      return { slot: leftover.slot, numHeld: length };
    }
    this.leftovers = [...others, leftover]; // used just now
    const { slot } = this.emptySlot();
    this.decoder.fork(leftover.slot, slot, length);
    return { slot, numHeld: length };
  }

  private emptySlot(): TakenSlot {
    if (this.empty.length === 0) this.drop(this.leftovers.shift()!);
    return { slot: this.empty.pop()!, numHeld: 0 };
  }

  private drop({ slot }: Leftover): void {
    this.decoder.truncate(slot, 0);
    this.empty.push(slot);
  }

  private makeRoom(): void {
    let numLeft = this.leftovers.reduce((sum, { numHeld }) => sum + numHeld, 0);
    while (this.leftovers.length > 0 && this.numReserved + numLeft > this.options.maxTokens) {
      const oldest = this.leftovers.shift()!;
      numLeft -= oldest.numHeld;
      this.drop(oldest);
    }
  }
}

/**
 * How many tokens `ids` has in common with the first `length` of another sequence, short of its own
 * last token, which must be read to know what follows.
 */
export function numCommon(
  ids: readonly number[],
  other: readonly number[],
  length: number,
): number {
  const limit = Math.min(ids.length - 1, other.length, length);
  let count = 0;
  while (count < limit && ids[count] === other[count]) count++;
  return count;
}
