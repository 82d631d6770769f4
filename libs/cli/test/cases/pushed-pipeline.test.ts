import { writeFile } from "node:fs/promises";
import { tempDir } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { startS3Double } from "../../../model-store/test/s3-double.js";
import { makeBase, runCli } from "./case-kit.js";

const credentials = { accessKeyId: "key", secretAccessKey: "a secret of some length" };

describe("pipeline run --push-models", () => {
  it("puts the models of its stages into a store, and does what could not be done when called again", async () => {
    await using dir = await tempDir();
    await using s3 = await startS3Double({ region: "us-east-1", credentials });
    await makeBase(dir.file("base"));
    await writeFile(dir.file("text.txt"), "a few words to learn. ".repeat(40));
    const config = {
      ...{ init: dir.file("base"), corpus: [dir.file("text.txt")], steps: 1, batchSize: 1 },
      ...{ contextLength: 16, engine: "cpu" },
    };
    const stages = { more: { stage: "pretrain", config } };
    const file = { name: "p", run: dir.file("run"), stages };
    await writeFile(dir.file("p.json"), JSON.stringify(file));
    const run = (base: string, env: Record<string, string> = {}) =>
      runCli(["pipeline", "run", dir.file("p.json"), "--push-models", base, "--json"], {
        env: {
          ...process.env,
          STAGECRAFT_S3_ENDPOINT: s3.url,
          STAGECRAFT_S3_ACCESS_KEY_ID: credentials.accessKeyId,
          STAGECRAFT_S3_SECRET_ACCESS_KEY: credentials.secretAccessKey,
          ...env,
        },
      });
    const none = await run("s3://models/mine", { STAGECRAFT_S3_ACCESS_KEY_ID: "" });
    expect([none.code, none.err]).toEqual([2, expect.stringContaining("set s3AccessKeyId")]);
    s3.failures.push({ match: /^PUT/, status: 403, times: 1 });
    const cut = await run("s3://models/mine");
    expect([cut.code, cut.err]).toEqual([1, expect.stringMatching(/was not pushed to .*by hand/)]);
    const { out } = await run("s3://models/mine/");
    const last = JSON.parse(out.trim().split("\n").at(-1)!) as { pushed: Record<string, string> };
    expect(last.pushed["more"]).toMatch(/^s3:\/\/models\/mine\/more@[0-9a-f]{16}$/);
    expect([...s3.objects.keys()]).toContain("models/mine/more/stagecraft.json");
  }, 60_000);
});
