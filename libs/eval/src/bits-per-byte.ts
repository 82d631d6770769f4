/**
 * Bits per byte: total nats / (ln 2 · UTF-8 bytes of the text), special tokens counted in neither
 * [reference 3]. Comparable between tokenizers, unlike the loss per token. NaN for no bytes.
 */
export function bitsPerByte(totalNats: number, numBytes: number): number {
  return totalNats / (Math.LN2 * numBytes);
}
