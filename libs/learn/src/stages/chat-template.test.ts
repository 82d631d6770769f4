import { expect, it } from "vitest";
import { chatTemplateFile } from "./chat-template.js";

it("a chat template of a name that every object has is a file", () => {
  expect(chatTemplateFile("constructor")).toEqual(["constructor"]);
  expect(chatTemplateFile("chatml")).toEqual([]);
  expect(chatTemplateFile("")).toEqual([]);
});
