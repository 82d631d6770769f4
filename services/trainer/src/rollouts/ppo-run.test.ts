import { ppoSchema } from "@stagecraft/ppo";
import { silentReporter } from "@stagecraft/runs";
import { expect, it } from "vitest";
import { createPpoRun, type PpoRunOptions } from "./ppo-run.js";

it("a run with a chat template is refused where the policies keep the template of their model", async () => {
  const files = { policy: "p", rewardModel: "r", prompts: ["q"] };
  const config = ppoSchema.parse({ ...files, chatTemplate: "chatml" });
  const stage = createPpoRun({} as PpoRunOptions); // refused before anything of it is used
  const context = { runId: "a", runDir: "a", resume: false, reporter: silentReporter() };
  const { signal } = new AbortController();
  await expect(stage.run(config, { ...context, signal })).rejects.toThrow(
    "[failed_precondition] chatTemplate: the policies of a cluster render",
  );
});
