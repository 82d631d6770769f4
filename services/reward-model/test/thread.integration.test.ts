import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { saveRewardModel } from "@stagecraft/learn";
import { createRandom } from "@stagecraft/core";
import { createModel, presetConfig } from "@stagecraft/model";
import { initEngine } from "@stagecraft/tensor";
import { tempDir } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { loadScorer, type NamedModelDir } from "../src/open-service.js";
import { createThreadedScorers } from "../src/thread-client.js";
import { tinyTokenizer } from "./fixtures.js";

const threadFile = fileURLToPath(new URL("../dist/thread.js", import.meta.url));
const built = existsSync(threadFile);

/** Two reward models of several layers, the second an ensemble. */
async function writeModels(dir: string): Promise<NamedModelDir[]> {
  const tokenizer = await tinyTokenizer();
  const sizes = { hiddenSize: 32, numLayers: 2, numHeads: 2, maxPositions: 48 };
  const config = presetConfig("llama", { vocabSize: tokenizer.vocabSize, ...sizes });
  const tokenizerFiles = tokenizer.files();
  const description = { mean: 0.5, std: 2 };
  const models: NamedModelDir[] = [];
  for (const [name, seeds] of [
    ["one", [1]],
    ["several", [2, 3]],
  ] as const) {
    const members = seeds.map((seed) => createModel(config, { seed, heads: ["score"] }));
    await saveRewardModel(`${dir}/${name}`, members, { tokenizerFiles, description });
    for (const member of members) member.dispose();
    models.push({ name, dir: `${dir}/${name}` });
  }
  return models;
}

function randomSequences(count: number): Int32Array[] {
  const random = createRandom("sequences");
  return Array.from({ length: count }, () =>
    Int32Array.from({ length: 2 + random.nextInt(40) }, () => random.nextInt(20)),
  );
}

describe.skipIf(!built)(
  `createThreadedScorers()${built ? "" : ": not built (npm run build)"}`,
  () => {
    it("says what its engine cannot do as asked", async () => {
      await using directory = await tempDir();
      const models = await writeModels(directory.path);
      const engine = { engine: "auto", plugin: "/no/such/plugin.so", threads: 1 } as const;
      await using thread = await createThreadedScorers({ models, engine });
      expect(thread.engineNotice).toContain("the plugin /no/such/plugin.so is not used");
    });

    it("scores as this thread would, alone and in batches of any size, to the bit", async () => {
      await using directory = await tempDir();
      await initEngine({ engine: "auto", numThreads: 1 });
      const models = await writeModels(directory.path);
      await using thread = await createThreadedScorers({
        models,
        engine: { engine: "auto", threads: 1 },
      });
      const sequences = randomSequences(33);
      for (const [index, scorer] of thread.scorers.entries()) {
        const local = await loadScorer(models[index]!);
        expect(scorer).toMatchObject({
          ...{ name: local.name, version: local.version, model: local.model },
          ...{ scoreMean: 0.5, scoreStd: 2 },
        });
        const together = await scorer.score(sequences);
        expect(together).toEqual(local.score(sequences));
        expect(new Set(together.map(({ value }) => value)).size).toBe(33);
        for (const [i, sequence] of sequences.entries()) {
          const [alone] = local.score([sequence]);
          expect(alone).toEqual(together[i]);
        }
        const messages = [{ role: "user" as const, content: "hi." }];
        expect(scorer.render(messages)).toEqual(local.render(messages));
        local.dispose();
      }
    });

    it("throws UNAVAILABLE when its thread is gone, and the reason when it cannot start", async () => {
      await using directory = await tempDir();
      const models = await writeModels(directory.path);
      const thread = await createThreadedScorers({ models, engine: { engine: "cpu", threads: 1 } });
      await thread[Symbol.asyncDispose]();
      const late = (async () => thread.scorers[0]!.score(randomSequences(1)))();
      await expect(late).rejects.toMatchObject({ code: "unavailable" });
      const missing = [{ name: "none", dir: `${directory.path}/none` }];
      await expect(
        createThreadedScorers({ models: missing, engine: { engine: "cpu", threads: 1 } }),
      ).rejects.toThrow(/none/);
    });
  },
);
