import type { StreamDecoder } from "./tokenizer.js";
import type { Vocabulary } from "./vocabulary.js";

/** A decoder that emits only whole characters; special tokens give no text. */
export function createStreamDecoder(vocabulary: Vocabulary): StreamDecoder {
  let decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  let isStart = true;
  return {
    push(ids) {
      const bytes = vocabulary.bytesOf(typeof ids === "number" ? [ids] : ids, true);
      const kept = isStart ? vocabulary.withoutLeadingSpaces(bytes) : bytes;
      isStart &&= bytes.length === 0;
      return decoder.decode(kept, { stream: true });
    },
    flush() {
      const rest = decoder.decode();
      isStart = true;
      decoder = new TextDecoder("utf-8", { ignoreBOM: true });
      return rest;
    },
  };
}
