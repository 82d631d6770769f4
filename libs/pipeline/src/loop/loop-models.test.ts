import { join } from "node:path";
import { silentReporter } from "@stagecraft/runs";
import { tempDir } from "@stagecraft/testing";
import { expect, it } from "vitest";
import { initialState } from "./loop-state.js";
import { openLoopModels } from "./loop-models.js";

it("a round's model that somebody has deleted is named, once, and the loop goes on", async () => {
  await using dir = await tempDir();
  const warnings: string[] = [];
  const reporter = silentReporter({ warn: (text) => warnings.push(text) });
  const models = openLoopModels(dir.path, { reporter });
  const policy = join(dir.path, "gone");
  const state = initialState({ policy, reference: policy, rewardModel: "", klCoef: 0.1 });
  expect(await models.settle(state)).toEqual(state);
  await models.settle(state);
  expect(warnings).toEqual([expect.stringMatching(/model of round 0 is not registered: .*gone/)]);
});
