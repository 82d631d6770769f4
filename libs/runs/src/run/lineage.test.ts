import { cp, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  createKeyPair,
  f32,
  readSigner,
  readVerifier,
  sha256Of,
  signDirectory,
  verifyDirectory,
  writeModelDirectory,
} from "@stagecraft/checkpoint";
import { LINEAGE_FILE, type Lineage } from "@stagecraft/registry";
import { tempDir } from "@stagecraft/testing";
import { beforeEach, describe, expect, it } from "vitest";
import { silentReporter } from "../stage/reporter.js";
import { dataInputs, modelInputs } from "../stage/stage-input.js";
import { withRun } from "./run.js";

let root: string;
const at = (...parts: string[]) => join(root, ...parts);
beforeEach(async () => {
  const directory = await tempDir();
  root = directory.path;
  await writeFile(at("data.jsonl"), "one\ntwo");
  return () => directory[Symbol.asyncDispose]();
});

const saveModel = (dir: string, value: number) =>
  writeModelDirectory(dir, {
    config: { model_type: "toy" },
    tensors: new Map([["w", f32([2], Float32Array.of(value, 1))]]),
    files: {},
  });

interface Config {
  seed: number;
  models: string[];
  data: string[];
}

/** A stage that writes a model of its seed's weights. */
async function train(name: string, { models = [] as string[], seed = 1, runDir = at(name) } = {}) {
  const config: Config = { seed, models, data: [at("data.jsonl")] };
  const stage = {
    name,
    inputs: (c: Config) => [...modelInputs({ model: c.models }), ...dataInputs({ data: c.data })],
  };
  const signal = new AbortController().signal;
  const context = { runDir, resume: true, signal, reporter: silentReporter() };
  await withRun({ stage, config, context, versions: { engine: "toy" } }, async (run) => {
    await saveModel(run.modelDir, seed);
    const metrics = { loss: 1.5, tokensPerSecond: Math.random() };
    return { modelDir: run.modelDir, outputs: {}, metrics };
  });
  return join(runDir, "model");
}

async function lineageOf(model: string): Promise<Lineage> {
  return JSON.parse(await readFile(join(model, LINEAGE_FILE), "utf8")) as Lineage;
}

const hashOf = async (model: string) => sha256Of(await readFile(join(model, "model.safetensors")));

describe("lineage of a run's model", () => {
  it("names parents and data by content, configuration, figures, versions", async () => {
    const base = await train("base");
    const model = await train("sft", { models: [base], seed: 2 });
    const lineage = await lineageOf(model);
    expect(lineage).toMatchObject({
      stage: "sft",
      seed: 2,
      model: { sha256: await hashOf(model) },
      config: { seed: 2, models: ["…/base/model"] },
      parents: [
        { field: "model", path: "…/base/model", sha256: await hashOf(base), stage: "base" },
      ],
      data: [
        {
          field: "data",
          path: expect.stringMatching(/^…\/[^/]+\/data\.jsonl$/),
          sizeBytes: 7,
          numLines: 2,
        },
      ],
      figures: { loss: 1.5 },
      versions: { engine: "toy", node: process.versions.node },
      ancestors: [{ stage: "base", parents: [], data: [{ field: "data", numFiles: 1 }] }],
    });
    expect(lineage.commit).toMatch(/^[0-9a-f]{40}( \+ changes)?$|^unknown$/);
    expect(lineage.data[0]!.sha256).toBe(sha256Of("one\ntwo"));
    const card = await readFile(join(model, "README.md"), "utf8");
    for (const file of [LINEAGE_FILE, "README.md"]) {
      expect(await readFile(join(model, file), "utf8")).not.toContain(root);
    }
    for (const part of ["tags:\n  - stagecraft\n  - sft", await hashOf(base), "| loss | 1.5 |"]) {
      expect(card).toContain(part);
    }
  });

  it("leaves the weights as they are, and equal runs write equal lineage but for times", async () => {
    const [first, second] = [await train("sft"), await train("sft", { runDir: at("again") })];
    await saveModel(at("plain"), 1);
    expect(await hashOf(first)).toBe(await hashOf(at("plain")));
    const { times, ...lineage } = await lineageOf(first);
    const again = await lineageOf(second);
    expect({ ...lineage, times: again.times }).toEqual(again);
    expect(times).toHaveProperty("tokensPerSecond");
  });

  it("survives copying and moving: ancestors come along, the original may be gone", async () => {
    const base = await train("base");
    const sft = await train("sft", { models: [base], seed: 2 });
    await cp(sft, at("copy"), { recursive: true });
    await rename(at("sft"), at("gone"));
    const { parents, ancestors } = await lineageOf(
      await train("ppo", { models: [at("copy")], seed: 3 }),
    );
    expect(parents).toMatchObject([
      { path: expect.stringMatching(/^…\/[^/]+\/copy$/), stage: "sft" },
    ]);
    expect(ancestors.map(({ stage }) => stage)).toEqual(["sft", "base"]);
    expect(ancestors[0]!.parents).toEqual([{ field: "model", sha256: await hashOf(base) }]);
  });

  it("says unknown of a model made elsewhere, and of a lineage about other weights", async () => {
    await saveModel(at("foreign"), 7);
    const mixed = await train("base");
    await saveModel(at("other"), 9);
    await cp(at("other", "model.safetensors"), join(mixed, "model.safetensors"));
    const model = await train("sft", { models: [at("foreign"), mixed], seed: 2 });
    const { parents, ancestors } = await lineageOf(model);
    expect(parents).toMatchObject(
      [
        { sha256: await hashOf(at("foreign")), stage: "unknown", note: /has no lineage\.json/ },
        { sha256: await hashOf(mixed), stage: "unknown", note: /speaks of other weights/ },
      ].map((each) => ({ ...each, note: expect.stringMatching(each.note) as string })),
    );
    expect(ancestors).toEqual([]);
    expect(await readFile(join(model, "README.md"), "utf8")).toContain("of unknown origin");
  });

  it("is part of what is signed", async () => {
    const model = await train("sft");
    await mkdir(at("keys"));
    const { privateKey, publicKey } = createKeyPair();
    await writeFile(at("keys", "private.pem"), privateKey);
    await writeFile(at("keys", "public.pem"), publicKey);
    const verifier = (await readVerifier([at("keys", "public.pem")]))!;
    await signDirectory(model, (await readSigner(at("keys", "private.pem")))!);
    await verifyDirectory(model, verifier);
    const file = join(model, LINEAGE_FILE);
    await writeFile(file, (await readFile(file, "utf8")).replace('"loss": 1.5', '"loss": 0.5'));
    await expect(verifyDirectory(model, verifier)).rejects.toMatchObject({
      code: "permission_denied",
    });
  });

  it("does not make a model another input: the same weights made at another time", async () => {
    const base = await train("base");
    const model = await train("sft", { models: [base], seed: 2 });
    const file = join(base, LINEAGE_FILE);
    await writeFile(file, (await readFile(file, "utf8")).replace("startedAt", "begunAt"));
    expect(await train("sft", { models: [base], seed: 2 })).toBe(model);
  });
});
