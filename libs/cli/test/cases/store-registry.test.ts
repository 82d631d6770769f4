import { fileURLToPath } from "node:url";
import {
  freePort,
  hasNatsServer,
  NATS_MISSING,
  servingAddress,
  signInByLink,
  startNatsServer,
  startProcess,
  tempDir,
  waitFor,
} from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { startS3Double } from "../../../model-store/test/s3-double.js";
import { makeBase, runCli } from "./case-kit.js";

const credentials = { accessKeyId: "key", secretAccessKey: "a secret of some length" };

interface Shown {
  name: string;
  version: number;
  path: string;
  isPromoted: boolean;
}

/** `stagecraft models …` on a registry; the records that it prints. */
function modelsOn(registry: string, env: Record<string, string>) {
  return async (...args: string[]): Promise<Shown[]> => {
    const all = ["models", ...args, "--registry", registry, "--json"];
    const { code, out, err } = await runCli(all, { env: { ...process.env, ...env } });
    expect([code, err]).toEqual([0, err]);
    const lines = out.trim().split("\n").filter(Boolean);
    return lines.map((line) => JSON.parse(line) as Shown);
  };
}

/** A service's process, each with folders of its own. */
async function startService(name: string, flags: Record<string, string>) {
  const path = `../../../../services/${name}/dist/main.js`;
  const main = fileURLToPath(new URL(path, import.meta.url));
  const args = Object.entries(flags).flatMap(([field, value]) => [`--${field}`, value]);
  const service = await startProcess(process.execPath, [main, ...args]);
  return Object.assign(service, { address: await servingAddress(service, name) });
}

describe("a registry in an object store", () => {
  it("takes a directory in by one command, and tells and changes what is in use on every machine", async () => {
    await using dir = await tempDir();
    await using s3 = await startS3Double({ region: "us-east-1", credentials });
    for (const seed of [1, 2]) await makeBase(dir.file(`m${seed}`), { seed });
    const env = {
      STAGECRAFT_S3_ENDPOINT: s3.url,
      STAGECRAFT_S3_ACCESS_KEY_ID: credentials.accessKeyId,
      STAGECRAFT_S3_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      STAGECRAFT_MODELS_CACHE: dir.file("cache"),
    };
    const models = modelsOn("s3://models/team", env);
    await models("promote", "assistant", dir.file("m1"));
    const [two] = await models("promote", "assistant", dir.file("m2"));
    expect(two).toMatchObject({ version: 2, isPromoted: true });
    expect(two!.path).toMatch(/^s3:\/\/models\/team\/assistant@[0-9a-f]{16}$/);
    expect(await models("rollback", "assistant")).toMatchObject([{ version: 1 }]);
    expect((await models("list")).map(({ isPromoted }) => isPromoted)).toEqual([true, false]);
    const push = ["models", "push", "assistant", "s3://models/copy", "--registry"];
    const copied = await runCli([...push, "s3://models/team"], { env: { ...process.env, ...env } });
    const [one] = await models("show", "assistant");
    expect([copied.code, copied.out]).toEqual([
      0,
      expect.stringContaining(`s3://models/copy@${one!.path.split("@")[1]} pushed`),
    ]);
  }, 120_000);

  it.skipIf(!hasNatsServer())(
    `lets gateway, trainer and policy work that share no folder (skipped when: ${NATS_MISSING})`,
    async () => {
      await using dir = await tempDir();
      await using nats = await startNatsServer({ maxFileStoreBytes: 5 * 1024 ** 3 });
      for (const seed of [1, 2]) await makeBase(dir.file(`m${seed}`), { seed });
      const models = modelsOn("nats://", { STAGECRAFT_NATS_URL: nats.url });
      const [one] = await models("promote", "assistant", dir.file("m1"));
      await models("add", "assistant", dir.file("m2"));
      const bus = { "nats-url": nats.url, port: "0" };
      const weights = { ...bus, "weights-dir": "nats:", engine: "cpu" };
      await using policy = await startService("policy", {
        ...{ ...weights, "model-dir": one!.path, "models-cache": dir.file("policy") },
      });
      await using trainer = await startService("trainer", {
        ...{ ...weights, "runs-dir": dir.file("trainer/runs"), "read-dirs": dir.file("none") },
        ...{ "models-cache": dir.file("trainer/cache"), "model-sources": "nats://" },
      });
      await using gateway = await startService("gateway", {
        ...{ ...bus, registry: "nats://", "publish-model": "assistant" },
        ...{ models: `assistant=${policy.address}`, "trainer-address": trainer.address },
        ...{ "feedback-dir": dir.file("gateway"), "http-port": String(await freePort()) },
      });
      const operator = await signInByLink(/"link":"([^"]+)"/.exec(gateway.output())![1]!);
      const inUse = async () =>
        (await models("list")).find(({ isPromoted }) => isPromoted)?.version;
      const served = async () => {
        const { models: all } = await operator.ok<{ models: { version: string | null }[] }>(
          ...(["GET", "/api/models"] as const),
        );
        return all[0]!.version;
      };
      expect(await served()).toBeNull();
      await operator.ok("POST", "/api/registry/assistant/promote", { version: 2 });
      expect(await inUse()).toBe(2);
      await waitFor(async () => (await served()) !== null, {
        what: "the policy to have version 2",
      });
      const second = await served();
      await operator.ok("POST", "/api/registry/assistant/rollback");
      expect(await inUse()).toBe(1);
      await waitFor(async () => (await served()) !== second, { what: "the policy to go back" });
      const tar = await operator.ok<string>("GET", "/api/registry/assistant/2/archive");
      expect(tar).toContain("model.safetensors");
    },
    120_000,
  );
});
