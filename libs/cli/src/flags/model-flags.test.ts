import { engineFields, ENGINES } from "@stagecraft/fields";
import { commonFields } from "@stagecraft/runs";
import { Command } from "commander";
import { expect, it } from "vitest";
import { logitsCommand } from "../commands/logits.js";
import { engineFlag } from "./model-flags.js";

it("commands, stages and services offer the engines of one list", () => {
  const logits = new Command();
  logitsCommand(logits, {} as never);
  const own = logits.options.find(({ long }) => long === "--engine");
  const { description, argChoices, defaultValue } = engineFlag();
  expect(own).toMatchObject({ description, argChoices, defaultValue });
  expect(argChoices).toEqual(ENGINES);
  expect(commonFields.engine.unwrap().options).toEqual(ENGINES);
  expect(engineFields.engine.unwrap().options).toEqual(ENGINES);
});
