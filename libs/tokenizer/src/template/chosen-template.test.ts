import { expect, it } from "vitest";
import { chatTemplateFile } from "./chosen-template.js";

it("a chat template of a name that every object has is a file", () => {
  expect(chatTemplateFile({ chatTemplate: "constructor" })).toEqual(["constructor"]);
  expect(chatTemplateFile({ chatTemplate: "chatml" })).toEqual([]);
  expect(chatTemplateFile({ chatTemplate: "" })).toEqual([]);
  expect(chatTemplateFile({})).toEqual([]);
});
