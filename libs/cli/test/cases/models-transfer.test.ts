import { readdir, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import {
  hasNatsServer,
  NATS_MISSING,
  servingAddress,
  startNatsServer,
  startProcess,
  tempDir,
} from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { startS3Double } from "../../../model-store/test/s3-double.js";
import { makeBase, runCli } from "./case-kit.js";

const credentials = { accessKeyId: "key", secretAccessKey: "a secret of some length" };
const s3Environment = (url: string) => ({
  STAGECRAFT_S3_ENDPOINT: url,
  STAGECRAFT_S3_ACCESS_KEY_ID: credentials.accessKeyId,
  STAGECRAFT_S3_SECRET_ACCESS_KEY: credentials.secretAccessKey,
});
const run = (args: string[], env: Record<string, string>) =>
  runCli(args, { env: { ...process.env, ...env } });

describe("models in object stores", () => {
  it("a model goes to S3 and back, and is named where a directory is taken", async () => {
    await using dir = await tempDir();
    await using s3 = await startS3Double({ region: "us-east-1", credentials });
    await makeBase(dir.file("model"));
    const env = { ...s3Environment(s3.url), STAGECRAFT_MODELS_CACHE: dir.file("cache") };
    const url = "s3://models/team/tiny";
    const pushed = await run(["models", "push", dir.file("model"), url], env);
    expect(pushed.out).toMatch(/^s3:\/\/models\/team\/tiny@[0-9a-f]{16} pushed \(/);
    expect(pushed.err).toMatch(/100%.*\/s/);
    const pulled = await run(["models", "pull", url, dir.file("back"), "--json"], env);
    expect(JSON.parse(pulled.out.trim().split("\n").at(-1)!)).toMatchObject({ wasThere: false });
    for (const name of await readdir(dir.file("model"))) {
      const read = (from: string) => readFile(dir.file(`${from}/${name}`), "base64");
      expect(await read("back")).toBe(await read("model"));
    }
    const info = await run(["info", url, "--json"], env);
    expect(JSON.parse(info.out)).toMatchObject({
      dir: expect.stringContaining("cache/team_tiny-") as string,
    });
    await writeFile(dir.file("prompts.jsonl"), '{"prompt":"a"}\n');
    const collected = await run(
      [
        ...["collect", "--model", url, "--prompts", dir.file("prompts.jsonl")],
        ...["--samples-per-prompt", "2", "--max-new-tokens", "2", "--run", dir.file("run")],
      ],
      env,
    );
    expect([collected.code, collected.err]).toEqual([0, expect.stringContaining("team/tiny@")]);
    const refused = await run(["info", url], {
      ...env,
      STAGECRAFT_S3_SECRET_ACCESS_KEY: "another one",
    });
    expect(refused.code).toBe(1);
    expect(refused.err).toContain("403 SignatureDoesNotMatch");
  }, 60_000);

  it("a registered model goes from one name to another, in a store that flags name", async () => {
    await using dir = await tempDir();
    await using s3 = await startS3Double({ region: "us-east-1", credentials });
    await makeBase(dir.file("model"));
    const added = await run(
      ["models", "add", "tiny", dir.file("model"), "--registry", "s3://models"],
      s3Environment(s3.url),
    );
    expect([added.code, added.err]).toEqual([0, expect.stringContaining("100%")]);
    const { STAGECRAFT_S3_SECRET_ACCESS_KEY } = s3Environment(s3.url);
    const env = { STAGECRAFT_S3_SECRET_ACCESS_KEY, STAGECRAFT_MODELS_CACHE: dir.file("cache") };
    const place = ["--registry", "s3://models", "--s3-endpoint", s3.url];
    const flags = [...place, "--s3-access-key-id", credentials.accessKeyId];
    const pushed = await run(["models", "push", "tiny@1", "s3://models/other", ...flags], env);
    expect([pushed.code, pushed.out]).toEqual([0, expect.stringContaining("models/other@")]);
  }, 60_000);

  it.skipIf(!hasNatsServer())(
    `a policy starts from a name in the broker's store (skipped when: ${NATS_MISSING})`,
    async () => {
      await using dir = await tempDir();
      await using nats = await startNatsServer({ maxFileStoreBytes: 5 * 1024 ** 3 });
      await makeBase(dir.file("model"));
      const env = { STAGECRAFT_NATS_URL: nats.url };
      const pushed = await run(["models", "push", dir.file("model"), "nats://tiny"], env);
      expect([pushed.code, pushed.err]).toEqual([0, expect.stringContaining("100%")]);
      const main = fileURLToPath(
        new URL("../../../../services/policy/dist/main.js", import.meta.url),
      );
      const flags = {
        ...{ "model-dir": "nats://tiny", "weights-dir": "nats:", "nats-url": nats.url, port: "0" },
        ...{ "models-cache": dir.file("cache") },
      };
      const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]);
      await using policy = await startProcess(process.execPath, [main, ...args]);
      await servingAddress(policy, "policy");
      expect(policy.output()).toContain("loading nats://tiny@");
    },
    60_000,
  );
});
