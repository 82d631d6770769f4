/**
 * The GPT-2 byte alphabet: every byte value stands for one printable character, so that
 * byte-level tokens can be written in JSON. Source: `bytes_to_unicode` of openai/gpt-2 `encoder.py`.
 */
const CHAR_OF_BYTE: readonly string[] = buildAlphabet();
const BYTE_OF_CHAR: ReadonlyMap<string, number> = new Map(
  CHAR_OF_BYTE.map((char, byte) => [char, byte]),
);

function buildAlphabet(): string[] {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
    return String.fromCharCode(printable ? byte : next++);
  });
}

/** Spells bytes in the alphabet, one character a byte. */
export function bytesToAlphabet(bytes: ArrayLike<number>): string {
  let text = "";
  for (let i = 0; i < bytes.length; i++) text += CHAR_OF_BYTE[bytes[i]!]!;
  return text;
}

/** The bytes of a spelled token; undefined when a character is not in the alphabet. */
export function alphabetToBytes(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const byte = BYTE_OF_CHAR.get(text[i]!);
    if (byte === undefined) return undefined;
    bytes[i] = byte;
  }
  return bytes;
}

/** The 256 byte values ordered by their alphabet character, which is GPT-2's order of ids. */
export function alphabetOrder(): number[] {
  const order = Array.from({ length: 256 }, (_, byte) => byte);
  return order.sort((a, b) => CHAR_OF_BYTE[a]!.charCodeAt(0) - CHAR_OF_BYTE[b]!.charCodeAt(0));
}
