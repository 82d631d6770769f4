import { isUtf8 } from "node:buffer";

/** A stretch of bytes that is either valid UTF-8 or has no valid character in it. */
export interface Utf8Run {
  valid: boolean;
  start: number;
  end: number;
}

/** Cuts bytes into the longest stretches of valid UTF-8 and the invalid bytes between them. */
export function utf8Runs(bytes: Uint8Array): Utf8Run[] {
  if (bytes.length === 0) return [];
  if (isUtf8(bytes)) return [{ valid: true, start: 0, end: bytes.length }];
  const runs: Utf8Run[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = utf8CharLength(bytes, at);
    const valid = length > 0;
    const last = runs.at(-1);
    const end = at + Math.max(1, length);
    if (last?.valid === valid) last.end = end;
    else runs.push({ valid, start: at, end });
    at = end;
  }
  return runs;
}

/**
 * Length in bytes of the well-formed character at `at`, or 0 when there is none (Unicode 15,
 * table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF).
 */
export function utf8CharLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!;
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  const second = bytes[at + 1] ?? 0;
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) return 0;
  for (let i = 2; i < length; i++) {
    if (((bytes[at + i] ?? 0) & 0xc0) !== 0x80) return 0;
  }
  return length;
}
