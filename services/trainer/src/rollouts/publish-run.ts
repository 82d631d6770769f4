import { ensureTopology } from "@stagecraft/bus";
import { loadModel } from "@stagecraft/model";
import { defineStage, modelInputs } from "@stagecraft/runs";
import { openWeightPublisher, type PublisherOptions } from "@stagecraft/weights";
import { text } from "@stagecraft/fields";
import { z } from "zod";
import { toTrainerStage, type TrainerStage } from "../runs/trainer-stage.js";

const schema = z.strictObject({
  model: text().describe("Model directory whose weights the policies are to serve"),
});

/**
 * Gives the policies of this deployment the weights of a model directory, such as the one that PPO chose
 * as its best, or an earlier one. It must have the sizes of the model that they were started with.
 */
export function createPublishRun(options: Omit<PublisherOptions, "runId">): TrainerStage {
  return toTrainerStage(
    defineStage<z.infer<typeof schema>>({
      name: "publish",
      summary: "give the policies the weights of a model directory",
      schema,
      examples: [],
      inputs: ({ model }) => modelInputs({ model }),
      async work({ model: directory }, { run }) {
        const { bus, topology } = options;
        await ensureTopology(bus, topology);
        const publisher = await openWeightPublisher({ ...options, runId: "publish" });
        const model = await loadModel(directory, { heads: ["lm"] });
        try {
          run.checkOwned();
          const stored = await publisher.store(model.tensors(), 0);
          await stored.announce();
          return { outputs: {}, metrics: { version: stored.version } };
        } finally {
          model.dispose();
        }
      },
    }),
  );
}
