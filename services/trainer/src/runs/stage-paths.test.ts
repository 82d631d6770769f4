import { ppoSchema } from "@stagecraft/ppo";
import { NAMED_TEMPLATES } from "@stagecraft/tokenizer";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { plainStages } from "./plain-stages.js";
import { checkTextFields, mapPaths, pathsOf } from "./stage-paths.js";

describe("checkTextFields()", () => {
  it("knows every free text of every stage, and refuses one that nobody has judged", () => {
    const stages = [...plainStages(), { name: "ppo", schema: ppoSchema }];
    expect(stages.length).toBeGreaterThan(6);
    for (const { name, schema } of stages) checkTextFields(name, schema);
    const schema = z.strictObject({ steps: z.int(), log: z.array(z.string()).default([]) });
    expect(() => checkTextFields("new", schema)).toThrow(/stage new:.*whether log names/);
  });
});

describe("mapPaths()", () => {
  it("takes the name of a chat template for no file, and any other text for one", () => {
    const name = Object.keys(NAMED_TEMPLATES)[0]!;
    expect(pathsOf({ chatTemplate: name })).toEqual([]);
    const changed = mapPaths({ chatTemplate: "my.jinja" }, (path) => `/${path}`);
    expect(changed).toEqual({ chatTemplate: "/my.jinja" });
  });

  it("changes paths where they stand and nothing else", () => {
    const config = { corpus: ["1=1", "a"], models: ["a=a", "b"], init: "", scoreWeights: ["x=1"] };
    expect(mapPaths(config, (path) => `/${path}`)).toEqual({
      corpus: ["/1=1", "/a"],
      models: ["a=/a", "/b"],
      init: "",
      scoreWeights: ["x=1"],
    });
    expect(pathsOf(config).map(({ field, path }) => `${field} ${path}`)).toEqual([
      "corpus[0] 1",
      "corpus[1] a",
      "models[0] a",
      "models[1] b",
    ]);
  });
});
