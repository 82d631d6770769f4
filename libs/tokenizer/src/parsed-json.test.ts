import { expect, it } from "vitest";
import { parsedTokenizerJson } from "./parsed-json.js";

it("a tokenizer.json is parsed once for a model and its tokenizer, another one anew", () => {
  const first = parsedTokenizerJson('{"a": 1}');
  expect(parsedTokenizerJson('{"a": 1}')).toBe(first);
  expect(parsedTokenizerJson('{"a": 2}')).toEqual({ a: 2 });
  expect(() => parsedTokenizerJson("{")).toThrow(SyntaxError);
});
