import { StagecraftError } from "@stagecraft/core";
import type { TokenList } from "./token-list.js";
import type { AddedTokenJson } from "./tokenizer-json.js";

/** What a vocabulary consists of. */
export interface VocabularyParts {
  list: Pick<TokenList, "tokens" | "ids" | "idOf">;
  added: readonly Pick<AddedTokenJson, "id" | "content" | "special">[];
  /** UTF-8 bytes that a token of the list stands for. */
  bytesOf(token: string): Uint8Array;
  /** The same of an added token. Default: as `bytesOf`. */
  bytesOfAdded?(content: string): Uint8Array;
  /** Spaces that a text loses at its beginning. Default 0. */
  numLeadingSpaces?: number;
}

interface Bytes {
  /** Where the bytes of each id start in the pool [size + 1]. */
  offsets: Uint32Array;
  pool: Uint8Array;
  /** Bytes of each id; 0 for special tokens. */
  lengths: Int32Array;
}

/** All tokens by id. Their bytes, in one pool, are made when they are first asked for. */
export class Vocabulary {
  readonly size: number;
  /** Ids of the special tokens by name. */
  readonly specialTokens: ReadonlyMap<string, number>;
  private readonly tokens: string[];
  private readonly addedIds: ReadonlyMap<string, number>;
  private readonly special: Uint8Array;
  /** 1 where an id has a token, 2 where it is an added one. */
  private readonly taken: Uint8Array;
  private bytes: Bytes | undefined;

  /** Ids may have holes, which decode to nothing. Of two tokens with one id the added, the later wins. */
  constructor(private readonly parts: VocabularyParts) {
    const { list, added } = parts;
    const largest = list.ids.reduce((most, id) => (id > most ? id : most), -1);
    this.size = added.reduce((most, { id }) => Math.max(most, id), largest) + 1;
    this.tokens = new Array<string>(this.size).fill("");
    this.special = new Uint8Array(this.size);
    this.taken = new Uint8Array(this.size);
    this.addedIds = new Map(added.map(({ content, id }) => [content, id]));
    const special = added.filter((token) => token.special && token.content !== "");
    this.specialTokens = new Map(special.map(({ content, id }) => [content, id]));
    list.tokens.forEach((token, i) => this.take(list.ids[i]!, token, 1));
    for (const { id, content, special } of added) {
      this.take(id, content, 2);
      this.special[id] = special ? 1 : 0;
    }
  }

  /** UTF-8 bytes each id stands for [size]; 0 for special tokens. */
  get byteLengths(): Int32Array {
    return this.pooled().lengths;
  }

  tokenOf(id: number): string {
    this.check(id);
    return this.tokens[id]!;
  }

  idOf(token: string): number | undefined {
    return this.addedIds.get(token) ?? this.parts.list.idOf(token);
  }

  /** False for holes and for ids out of range. */
  has(id: number): boolean {
    return (this.taken[id] ?? 0) > 0;
  }

  isSpecial(id: number): boolean {
    return this.special[id] === 1;
  }

  /** The first bytes of a text without the spaces that the tokenizer puts before it. */
  withoutLeadingSpaces(bytes: Uint8Array): Uint8Array {
    const { numLeadingSpaces = 0 } = this.parts;
    let start = 0;
    while (start < numLeadingSpaces && bytes[start] === 0x20) start++;
    return start === 0 ? bytes : bytes.subarray(start);
  }

  /** The joined bytes of the ids. */
  bytesOf(ids: ArrayLike<number>, skipSpecials: boolean): Uint8Array {
    const { offsets, pool } = this.pooled();
    let length = 0;
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i]!;
      this.check(id);
      if (!(skipSpecials && this.special[id])) length += offsets[id + 1]! - offsets[id]!;
    }
    const bytes = new Uint8Array(length);
    let end = 0;
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i]!;
      if (skipSpecials && this.special[id]) continue;
      for (let at = offsets[id]!; at < offsets[id + 1]!; at++) bytes[end++] = pool[at]!;
    }
    return bytes;
  }

  private take(id: number, token: string, kind: 1 | 2): void {
    this.tokens[id] = token;
    this.taken[id] = kind;
  }

  private pooled(): Bytes {
    this.bytes ??= this.makePool();
    return this.bytes;
  }

  private makePool(): Bytes {
    const { bytesOf, bytesOfAdded = bytesOf } = this.parts;
    const of = [() => new Uint8Array(0), bytesOf, bytesOfAdded];
    const byId = this.tokens.map((token, id) => of[this.taken[id]!]!(token));
    const offsets = new Uint32Array(this.size + 1);
    byId.forEach((bytes, id) => (offsets[id + 1] = offsets[id]! + bytes.length));
    const pool = new Uint8Array(offsets[this.size]!);
    byId.forEach((bytes, id) => pool.set(bytes, offsets[id]));
    const lengths = Int32Array.from(byId, ({ length }, id) => (this.special[id] ? 0 : length));
    return { offsets, pool, lengths };
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
