import { StagecraftError } from "@stagecraft/core";
import { alphabetToBytes } from "./byte-alphabet.js";
import type { DecoderJson } from "./tokenizer-json.js";

/** How ids become text: what each token stands for, and what a text loses at its beginning. */
export interface TokenDecoder {
  /** UTF-8 bytes of a token as it is spelled in the vocabulary. */
  bytesOf(token: string): Uint8Array;
  /** The same of an added token, which no alphabet of bytes spells. */
  bytesOfAdded(content: string): Uint8Array;
  /** Spaces that are taken from the beginning of a text, where it has them. */
  numLeadingSpaces: number;
}

/**
 * The decoder of tokenizer.json: `ByteLevel`, or a sequence of `Replace` (by a string), `ByteFallback`,
 * `Fuse` and `Strip` as sentencepiece's models have it, or `Metaspace`.
 * @throws `unimplemented` for another one, naming it
 */
export function compileDecoder(json: DecoderJson | null | undefined): TokenDecoder {
  const steps = flatten(json);
  if (steps.some(({ type }) => type === "ByteLevel")) {
    return {
      bytesOf: (token) => alphabetToBytes(token) ?? utf8(token),
      bytesOfAdded: utf8,
      numLeadingSpaces: 0,
    };
  }
  const replacements: [from: string, to: string][] = [];
  let hasBytes = false;
  let numLeadingSpaces = 0;
  for (const step of steps) {
    if (step.type === "Replace" && step.pattern?.String) {
      replacements.push([step.pattern.String, step.content ?? ""]);
    } else if (step.type === "Metaspace") {
      replacements.push([step.replacement ?? "▁", " "]);
      numLeadingSpaces = prependsSpace(step) ? 1 : 0;
    } else if (step.type === "Strip" && step.content === " " && !step.stop) {
      numLeadingSpaces = step.start ?? 0;
    } else if (step.type === "ByteFallback") hasBytes = true;
    else if (step.type !== "Fuse") throw unsupported(step.type);
  }
  if (steps.length === 0) throw unsupported("null");
  const spelled = (token: string) => {
    return replacements.reduce((text, [from, to]) => text.replaceAll(from, () => to), token);
  };
  const bytesOf = (token: string) => (hasBytes ? byteOf(token) : undefined) ?? utf8(spelled(token));
  return { bytesOf, bytesOfAdded: bytesOf, numLeadingSpaces };
}

/** Whether a Metaspace step puts a space before a text; older files say `add_prefix_space`. */
export function prependsSpace(step: { prepend_scheme?: string; add_prefix_space?: boolean }) {
  return step.prepend_scheme ? step.prepend_scheme !== "never" : step.add_prefix_space !== false;
}

/** The byte that a token such as `<0x0A>` stands for. */
export function byteOf(token: string): Uint8Array | undefined {
  const hex = /^<0x([0-9A-F]{2})>$/.exec(token)?.[1];
  return hex === undefined ? undefined : Uint8Array.of(Number.parseInt(hex, 16));
}

/** The spelling of a fallback byte, as Hugging Face's `byte_fallback` expects it. */
export function byteToken(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
}

function flatten(json: DecoderJson | null | undefined): DecoderJson[] {
  if (!json) return [];
  return json.type === "Sequence" ? (json.decoders ?? []).flatMap(flatten) : [json];
}

function utf8(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "utf8"));
}

function unsupported(type: string): StagecraftError {
  return new StagecraftError(
    "unimplemented",
    `tokenizer.json uses the decoder "${type}"; supported are ByteLevel, Metaspace, and Replace, ` +
      `ByteFallback, Fuse and Strip of leading spaces`,
  );
}
