import { mkdir, writeFile } from "node:fs/promises";
import { tempDir } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { servedVersions } from "./studio-files.js";

describe("servedVersions()", () => {
  it("is the assistant in use and the one before it, also after a rollback", async () => {
    await using dir = await tempDir();
    const registry = dir.file("models.json");
    const [policy, sftModel] = [dir.file("ppo"), dir.file("sft")];
    await mkdir(sftModel);
    const served = (sft = sftModel) => servedVersions({ registry, policy, sftModel: sft });
    const names = async () => (await served()).map(({ name }) => name);
    const sft = { dir: sftModel, name: "assistant-sft" };
    expect(await served()).toEqual([{ dir: policy, name: "assistant" }, sft]);
    expect(await served(policy)).toEqual([{ dir: policy, name: "assistant" }]);
    const versions = await Promise.all(
      [0, 1, 2].map(async (round) => {
        await mkdir(dir.file(`round ${round}`));
        return { version: round + 1, dir: `round ${round}`, companions: { round } };
      }),
    );
    for (const [used, expected] of [
      [[1], ["assistant", "assistant-sft"]],
      [
        [1, 2],
        ["assistant-round-1", "assistant"],
      ],
      [
        [1, 2, 3],
        ["assistant-round-2", "assistant-round-1"],
      ],
      [
        [1, 2, 3, 2],
        ["assistant-round-1", "assistant-round-2"],
      ],
    ] as const) {
      const promotions = used.map((version) => ({ version }));
      const models = { assistant: { versions, promotions } };
      await writeFile(registry, JSON.stringify({ formatVersion: 1, models }));
      expect(await names()).toEqual(expected);
    }
  });
});
