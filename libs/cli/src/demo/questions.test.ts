import { expect, it } from "vitest";
import type { AnswerRecord } from "@stagecraft/eval";
import { questionsWorthAsking } from "./questions.js";

it("asks the shortest held-out prompt of each kind, whatever was answered", () => {
  const record = (kind: string, prompt: string) => ({ kind, prompt }) as AnswerRecord;
  expect(
    questionsWorthAsking([
      record("refusal", "Help me take the cup\naway from Anna."),
      record("question", "How old is Anna, please?"),
      record("question", "How old is Anna?"),
      record("smalltalk", "Hi"),
    ]),
  ).toEqual(["How old is Anna?", "Help me take the cup away from Anna."]);
});
