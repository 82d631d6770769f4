import { StagecraftError } from "@stagecraft/core";

/** One entry of a vocabulary: its spelling in tokenizer.json and the bytes it stands for. */
export interface VocabularyEntry {
  id: number;
  token: string;
  bytes: Uint8Array;
  special: boolean;
}

/** All tokens by id, with their bytes in one pool. */
export class Vocabulary {
  readonly size: number;
  readonly byteLengths: Int32Array;
  private readonly tokens: string[];
  private readonly ids = new Map<string, number>();
  private readonly offsets: Uint32Array;
  private readonly pool: Uint8Array;
  private readonly special: Uint8Array;
  /** 1 where an id has a token. */
  private readonly taken: Uint8Array;

  /** Ids may have holes, which decode to nothing. Of two entries with one id the later wins. */
  constructor(entries: readonly VocabularyEntry[]) {
    this.size = entries.reduce((size, entry) => Math.max(size, entry.id + 1), 0);
    this.tokens = new Array<string>(this.size).fill("");
    this.special = new Uint8Array(this.size);
    this.taken = new Uint8Array(this.size);
    const byId = new Array<Uint8Array>(this.size).fill(new Uint8Array(0));
    for (const entry of entries) {
      this.tokens[entry.id] = entry.token;
      this.ids.set(entry.token, entry.id);
      this.special[entry.id] = entry.special ? 1 : 0;
      this.taken[entry.id] = 1;
      byId[entry.id] = entry.bytes;
    }
    this.offsets = new Uint32Array(this.size + 1);
    byId.forEach((bytes, id) => (this.offsets[id + 1] = this.offsets[id]! + bytes.length));
    this.pool = new Uint8Array(this.offsets[this.size]!);
    byId.forEach((bytes, id) => this.pool.set(bytes, this.offsets[id]));
    this.byteLengths = Int32Array.from(byId, (bytes, id) => (this.special[id] ? 0 : bytes.length));
  }

  tokenOf(id: number): string {
    this.check(id);
    return this.tokens[id]!;
  }

  idOf(token: string): number | undefined {
    return this.ids.get(token);
  }

  /** False for holes and for ids out of range. */
  has(id: number): boolean {
    return this.taken[id] === 1;
  }

  isSpecial(id: number): boolean {
    return this.special[id] === 1;
  }

  /** The joined bytes of the ids. */
  bytesOf(ids: ArrayLike<number>, skipSpecials: boolean): Uint8Array {
    let length = 0;
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i]!;
      this.check(id);
      if (!(skipSpecials && this.special[id])) length += this.offsets[id + 1]! - this.offsets[id]!;
    }
    const bytes = new Uint8Array(length);
    let end = 0;
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i]!;
      if (skipSpecials && this.special[id]) continue;
      for (let at = this.offsets[id]!; at < this.offsets[id + 1]!; at++) {
        bytes[end++] = this.pool[at]!;
      }
    }
    return bytes;
  }

  private check(id: number): void {
    if (Number.isInteger(id) && id >= 0 && id < this.size) return;
    throw new StagecraftError(
      "invalid_argument",
      `token id ${id} is outside the vocabulary of ${this.size} tokens; ` +
        `the ids were made with another tokenizer or model`,
      { details: { id, vocabSize: this.size } },
    );
  }
}
