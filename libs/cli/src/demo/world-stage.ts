import { join } from "node:path";
import { choice, whole } from "@stagecraft/fields";
import { z } from "zod";
import { defineStage } from "@stagecraft/runs";
import { writeWorld } from "@stagecraft/world";

const schema = z.strictObject({
  size: choice(["demo", "tiny"], "demo").describe("How much of a world"),
  seed: whole({ default: 1 }).describe("Seed of everything in the world"),
});

/** Writes the demo world: texts, demonstrations, training and held-out prompts. */
export const worldStage = defineStage<z.infer<typeof schema>>({
  name: "world",
  summary: "write a small world: texts, demonstrations, prompts",
  schema,
  examples: [],
  leaves: { world: "work" },
  async work(config, { run }) {
    const files = await writeWorld(join(run.dir, "world"), config);
    const { corpusDir, demonstrations, trainPrompts, heldOutPrompts, description } = files;
    const outputs = {
      corpus: corpusDir,
      demonstrations,
      trainPrompts,
      heldOutPrompts,
      description,
    };
    return { outputs, metrics: { documents: files.world.documents().length } };
  },
});
