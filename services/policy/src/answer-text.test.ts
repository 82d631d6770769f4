import { trainCharTokenizer } from "@stagecraft/tokenizer";
import { describe, expect, it } from "vitest";
import { createAnswerText } from "./answer-text.js";

const tokenizer = await trainCharTokenizer(
  (async function* () {
    yield "abcdeSTOP 😀";
  })(),
  {},
);
const idsOf = (text: string) => [...tokenizer.encode(text)];

describe("createAnswerText()", () => {
  it("sends text as it comes when nothing can stop it", () => {
    const answer = createAnswerText(tokenizer, []);
    expect(idsOf("abc").map((id) => answer.push([id]))).toEqual(["a", "b", "c"]);
    expect(answer.finish([], undefined)).toBe("");
  });

  it("never sends a part of a stop text", () => {
    const answer = createAnswerText(tokenizer, ["STOP"]);
    const ids = idsOf("abcdeSTOP");
    const sent = ids.slice(0, -1).map((id) => answer.push([id]));
    expect(sent.join("")).toBe("abcde");
    expect(answer.finish(ids.slice(-1), "abcde")).toBe("");
  });

  it("sends what it held back when the stop text never came", () => {
    const answer = createAnswerText(tokenizer, ["STOP"]);
    const sent = answer.push(idsOf("abST"));
    expect(sent + answer.finish([], "abST")).toBe("abST");
  });

  it("does not cut a character in two", () => {
    const answer = createAnswerText(tokenizer, ["ab"]);
    expect(answer.push(idsOf("a😀"))).toBe("a");
    expect(answer.finish([], "a😀")).toBe("😀");
  });
});
