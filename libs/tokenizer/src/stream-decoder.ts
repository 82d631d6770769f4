import type { StreamDecoder } from "./tokenizer.js";
import type { Vocabulary } from "./vocabulary.js";

/** A decoder that emits only whole characters; special tokens give no text. */
export function createStreamDecoder(vocabulary: Vocabulary): StreamDecoder {
  let decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  return {
    push: (id) => decoder.decode(vocabulary.bytesOf([id], true), { stream: true }),
    flush() {
      const rest = decoder.decode();
      decoder = new TextDecoder("utf-8", { ignoreBOM: true });
      return rest;
    },
  };
}
