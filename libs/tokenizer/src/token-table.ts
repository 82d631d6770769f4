import { randomInt } from "node:crypto";

/** Drawn anew in each process: a file cannot be made so that all its tokens meet in one place. */
const FACTOR = randomInt(2 ** 30) * 2 + 1;

/**
 * Ids by token, an open-addressing hash on typed arrays. Parts of a string, and two strings joined, are
 * looked up without making the string: merges are read several times faster than through a `Map`.
 */
export class TokenTable {
  private readonly slots: Int32Array;
  private readonly starts: Uint32Array;
  private readonly units: Uint16Array;

  /** @param ids of the tokens; of equal tokens the later one's id counts */
  constructor(
    tokens: readonly string[],
    private readonly ids: Int32Array,
  ) {
    this.slots = new Int32Array(2 ** Math.ceil(Math.log2(tokens.length * 2 + 2))).fill(-1);
    this.starts = new Uint32Array(tokens.length + 1);
    this.units = new Uint16Array(tokens.reduce((sum, token) => sum + token.length, 0));
    tokens.forEach((token, index) => this.add(token, index));
  }

  /** The id of a token, or −1. */
  find(token: string): number {
    return this.findJoined(token, token.length, "");
  }

  /** The id of `left`, up to its unit `leftEnd`, and `right`, from its unit `rightStart`, joined; or −1. */
  findJoined(left: string, leftEnd: number, right: string, rightStart = 0): number {
    return this.idAt(this.slots[this.slotOf(left, leftEnd, right, rightStart)]!);
  }

  /**
   * The place of the joined token in the list, or −1. Looked for first at the place given and at the
   * next: merges name their results nearly in the order of the vocabulary.
   */
  placeOfJoined(left: string, leftEnd: number, right: string, rightStart: number, near: number) {
    for (let index = near; index <= near + 1; index++) {
      if (this.isAt(index, left, leftEnd, right, rightStart)) return index;
    }
    return this.slots[this.slotOf(left, leftEnd, right, rightStart)]!;
  }

  /** The id of the token at a place; −1 for −1. */
  idAt(place: number): number {
    return place < 0 ? -1 : this.ids[place]!;
  }

  private add(token: string, index: number): void {
    const start = this.starts[index]!;
    const slot = this.slotOf(token, token.length, "", 0);
    for (let i = 0; i < token.length; i++) this.units[start + i] = token.charCodeAt(i);
    this.starts[index + 1] = start + token.length;
    this.slots[slot] = index;
  }

  private slotOf(left: string, leftEnd: number, right: string, rightStart: number): number {
    let hash = 0;
    for (let i = 0; i < leftEnd; i++) hash = Math.imul(hash ^ left.charCodeAt(i), FACTOR);
    for (let i = rightStart; i < right.length; i++) {
      hash = Math.imul(hash ^ right.charCodeAt(i), FACTOR);
    }
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
    const mask = this.slots.length - 1;
    let slot = (hash ^ (hash >>> 13)) & mask;
    for (;;) {
      const index = this.slots[slot]!;
      if (index < 0 || this.isAt(index, left, leftEnd, right, rightStart)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  private isAt(index: number, left: string, leftEnd: number, right: string, rightStart: number) {
    let at = this.starts[index]!;
    if (this.starts[index + 1]! - at !== leftEnd + right.length - rightStart) return false;
    for (let i = 0; i < leftEnd; i++) if (this.units[at++] !== left.charCodeAt(i)) return false;
    for (let i = rightStart; i < right.length; i++) {
      if (this.units[at++] !== right.charCodeAt(i)) return false;
    }
    return true;
  }
}
