import { StagecraftError } from "@stagecraft/core";
import { regexOf } from "./pattern.js";
import type { NormalizerJson } from "./tokenizer-json.js";

/** What a text becomes before it is cut into pieces. */
export type Normalize = (text: string) => string;

const FORMS = new Set(["NFC", "NFD", "NFKC", "NFKD"]);

/**
 * The normalizer of tokenizer.json. Unicode forms follow the Unicode version of Node; Hugging Face has
 * Unicode 9, so rare newer marks differ.
 * @throws `unimplemented` for one that is not in `STEPS`, naming it
 */
export function compileNormalizer(json: NormalizerJson | null | undefined): Normalize {
  if (!json) return (text) => text;
  if (FORMS.has(json.type)) return (text) => text.normalize(json.type);
  const step = STEPS[json.type];
  if (step) return step(json);
  throw new StagecraftError(
    "unimplemented",
    `tokenizer.json uses the normalizer "${json.type}"; supported are ` +
      [...FORMS, ...Object.keys(STEPS)].join(", "),
  );
}

const STEPS: Readonly<Record<string, (json: NormalizerJson) => Normalize>> = {
  Sequence(json) {
    const steps = (json.normalizers ?? []).map(compileNormalizer);
    return (text) => steps.reduce((current, step) => step(current), text);
  },
  Replace({ pattern, content = "" }) {
    if (pattern?.String !== undefined) {
      const from = pattern.String;
      return (text) => text.replaceAll(from, () => content);
    }
    const regex = regexOf(pattern);
    return (text) => text.replace(regex, () => content);
  },
  Prepend: (json) => (text) => (text === "" ? "" : `${json.prepend ?? ""}${text}`),
  Lowercase: () => (text) => text.toLowerCase(),
  StripAccents: () => (text) => text.replace(/\p{Mn}/gu, ""),
  Strip: ({ strip_left: left, strip_right: right }) => {
    return (text) => {
      const opened = left === false ? text : text.replace(/^\p{White_Space}+/u, "");
      return right === false ? opened : opened.replace(/\p{White_Space}+$/u, "");
    };
  },
};
