import { StagecraftError } from "@stagecraft/core";
import type { NormalizerJson } from "./tokenizer-json.js";

const FORMS = new Set(["NFC", "NFD", "NFKC", "NFKD"]);

/**
 * The normalizer of tokenizer.json: the Unicode forms and sequences of them.
 * They follow the Unicode version of Node; Hugging Face has Unicode 9, so rare newer marks differ.
 * @throws `unimplemented` for any other
 */
export function compileNormalizer(
  json: NormalizerJson | null | undefined,
): (text: string) => string {
  if (!json) return (text) => text;
  if (FORMS.has(json.type)) return (text) => text.normalize(json.type);
  if (json.type === "Sequence") {
    const steps = (json.normalizers ?? []).map(compileNormalizer);
    return (text) => steps.reduce((current, step) => step(current), text);
  }
  throw new StagecraftError(
    "unimplemented",
    `tokenizer.json uses the normalizer "${json.type}"; supported are NFC, NFD, NFKC and NFKD`,
  );
}
