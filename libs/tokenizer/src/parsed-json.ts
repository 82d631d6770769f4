import { createHash } from "node:crypto";

/** The file that was parsed last, as long as memory is not wanted for something else. */
let last: { hash: string; json: WeakRef<object> } | undefined;

/**
 * The value of a tokenizer.json, not to be changed: a model and its tokenizer are loaded one after the
 * other, and large files take a tenth of a second to parse. Throws `SyntaxError` as `JSON.parse`.
 */
export function parsedTokenizerJson(text: string): unknown {
  const hash = createHash("sha256").update(text).digest("base64");
  const known = last?.hash === hash ? last.json.deref() : undefined;
  if (known) return known;
  const json: unknown = JSON.parse(text);
  if (typeof json === "object" && json !== null) last = { hash, json: new WeakRef(json) };
  return json;
}
