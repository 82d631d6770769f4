import { mkdir, writeFile } from "node:fs/promises";
import { createKeyPair, readSigner, readVerifier, verifyDirectory } from "@stagecraft/checkpoint";
import { tempDir } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { signingStage } from "./signing-stage.js";
import type { TrainerStage, TrainerStageContext } from "./trainer-stage.js";

describe("signingStage()", () => {
  it("signs the model that a run leaves, and nothing without a key", async () => {
    await using dir = await tempDir();
    const { privateKey, publicKey } = createKeyPair();
    await writeFile(dir.file("key.pem"), privateKey);
    await writeFile(dir.file("key.pub"), publicKey);
    const verifier = (await readVerifier([dir.file("key.pub")]))!;
    const stage: TrainerStage = {
      ...{ name: "s", summary: "", schema: z.strictObject({}) },
      async run(_, { runDir }) {
        await mkdir(`${runDir}/model`);
        await writeFile(`${runDir}/model/config.json`, "{}");
        return {} as never;
      },
    };
    for (const signer of [await readSigner(dir.file("key.pem")), undefined]) {
      const runDir = dir.file(signer ? "signed" : "unsigned");
      await mkdir(runDir);
      await signingStage(stage, signer).run({}, { runDir } as TrainerStageContext);
      const checked = verifyDirectory(`${runDir}/model`, verifier);
      if (signer) await checked;
      else await expect(checked).rejects.toMatchObject({ code: "permission_denied" });
    }
  });
});
