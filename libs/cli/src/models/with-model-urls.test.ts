import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createS3Store, pushModel } from "@stagecraft/model-store";
import { planPipeline, runPipeline } from "@stagecraft/pipeline";
import { modelInputs, silentReporter, stageProblems, type StageDefinition } from "@stagecraft/runs";
import { tempDir } from "@stagecraft/testing";
import { afterEach, describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { startS3Double } from "../../../model-store/test/s3-double.js";
import { withModelUrls } from "./with-model-urls.js";

const URL = "s3://models/team/base";
const credentials = { accessKeyId: "key", secretAccessKey: "a secret of some length" };
const schema = z.strictObject({
  model: z.string(),
  reference: z.string().optional(),
  models: z.array(z.string()).optional(),
  steps: z.number().default(1),
});
type Config = z.infer<typeof schema>;

/** A store with a model of two versions to push, and a stage that notes its model as every stage does. */
async function createRig() {
  const dir = await tempDir();
  const s3 = await startS3Double({ region: "us-east-1", credentials });
  vi.stubEnv("STAGECRAFT_S3_ENDPOINT", s3.url);
  vi.stubEnv("STAGECRAFT_S3_ACCESS_KEY_ID", credentials.accessKeyId);
  vi.stubEnv("STAGECRAFT_S3_SECRET_ACCESS_KEY", credentials.secretAccessKey);
  vi.stubEnv("STAGECRAFT_MODELS_CACHE", dir.file("cache"));
  const push = async (text: string, bucket = "models") => {
    const store = createS3Store({
      ...{ endpoint: s3.url, region: "us-east-1", bucket, credentials },
    });
    await mkdir(dir.file(text));
    await writeFile(dir.file(`${text}/config.json`), "{}");
    await writeFile(dir.file(`${text}/model.safetensors`), text);
    return (await pushModel(store, dir.file(text), { name: "team/base" })).version;
  };
  const used: string[] = [];
  const configs: Config[] = [];
  let fails = false;
  const then: (() => Promise<unknown>)[] = [];
  const stage = withModelUrls<Config>({
    ...{ name: "s", summary: "", schema, examples: [] },
    inputs: ({ model }) => modelInputs({ model }),
    problems: async ({ steps, model }, ahead) => [
      ...(steps < 1 ? ["steps is none"] : []),
      ...(ahead.of(model) ? [] : [`${model} is not there`]),
    ],
    async run(config, { runDir }) {
      used.push(config.model);
      configs.push(config);
      await mkdir(runDir, { recursive: true });
      const record = { startedAt: new Date().toISOString(), config };
      await writeFile(join(runDir, "run.json"), JSON.stringify(record));
      if (fails) throw new Error("stopped");
      await then.splice(0)[0]?.();
      return { outputs: {}, metrics: {} };
    },
  } satisfies StageDefinition<Config>);
  const said: string[] = [];
  const note = (text: string) => void said.push(text);
  const context = {
    signal: new AbortController().signal,
    reporter: { ...silentReporter(), info: note, warn: note },
  };
  const run = (resume: boolean, overwrite = false, given: Partial<Config> = {}) => {
    const config = { model: URL, steps: 1, ...given };
    return stage.run(config, { ...context, runDir: dir.file("run"), resume, overwrite });
  };
  const runDir = dir.file("pipeline");
  const file = { name: "p", run: runDir, variables: {} };
  const stages = { a: { stage: "s", config: { model: URL } } };
  const pipeline = (rerun: string[] = [], more = {}) => {
    const all = { ...file, stages: { ...stages, ...more } };
    const plan = planPipeline(all, new Map([["s", stage]]), new Map());
    return runPipeline(plan, { runDir, variables: new Map(), rerun, context });
  };
  return {
    ...{ dir, s3, stage, push, used, configs, said, run, pipeline },
    stop: (is: boolean) => (fails = is),
    /** Once, when the next run of the stage is over. */
    after: (work: () => Promise<unknown>) => void then.push(work),
    async [Symbol.asyncDispose]() {
      await s3[Symbol.asyncDispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
}

afterEach(() => vi.unstubAllEnvs());

describe("withModelUrls()", () => {
  it("a run that goes on keeps the version that it began with, and says that there is a newer one", async () => {
    await using rig = await createRig();
    const one = await rig.push("one");
    await rig.run(false);
    const two = await rig.push("two");
    await rig.run(true);
    expect(rig.used).toEqual([one, one].map((each) => rig.dir.file(`cache/team_base-${each}`)));
    expect(rig.said).toContain(
      `${URL} is @${two} by now; this run goes on with @${one}, which it began with`,
    );
    await rig.run(true, true);
    expect(rig.used.at(-1)).toBe(rig.dir.file(`cache/team_base-${two}`));
  });

  it("takes a name's version from its own field, not from a pinned name of the same model", async () => {
    await using rig = await createRig();
    const one = await rig.push("one");
    const two = await rig.push("two");
    const given = {
      model: `${URL}@${one}`,
      reference: URL,
      models: [`old=${URL}@${one}`, `new=${URL}`],
    };
    await rig.run(false, false, given);
    await rig.push("three");
    await rig.run(true, false, given);
    expect(rig.configs[1]).toEqual(rig.configs[0]);
    expect(rig.configs[1]!.reference).toBe(rig.dir.file(`cache/team_base-${two}`));
    const models = { ...{ model: "here", steps: 1 }, models: given.models };
    expect(await rig.stage.remote!.used(models, rig.dir.file("run"))).toEqual({ [URL]: two });
  });

  it("keeps models of one name in two buckets apart", async () => {
    await using rig = await createRig();
    const one = await rig.push("one");
    const other = await rig.push("two", "others");
    const reference = URL.replace("models", "others");
    await rig.run(false, false, { reference });
    await rig.run(true, false, { reference });
    expect(rig.configs[1]).toEqual(rig.configs[0]);
    const config = { model: URL, reference, steps: 1 };
    expect(await rig.stage.remote!.used(config, rig.dir.file("run"))).toEqual({
      ...{ [URL]: one, [reference]: other },
    });
  });

  it("problems that have nothing to do with the model are told all the same", async () => {
    await using rig = await createRig();
    const found = await stageProblems(rig.stage, { model: URL, steps: 0 });
    expect(found).toEqual({ missing: [], problems: ["steps is none"] });
  });

  it("two stages of a pipeline that name a model alike get the same version, though there is a newer one", async () => {
    await using rig = await createRig();
    const one = await rig.push("one");
    rig.after(() => rig.push("two"));
    await rig.pipeline([], { b: { stage: "s", config: { model: URL } } });
    expect(rig.used).toEqual([one, one].map((each) => rig.dir.file(`cache/team_base-${each}`)));
    expect(rig.said.join("\n")).toContain(`this run goes on with @${one}, which it began with`);
  });

  it("a pipeline refuses a finished stage whose model has a newer version, and one that is away is no matter", async () => {
    await using rig = await createRig();
    const one = await rig.push("one");
    rig.stop(true);
    await expect(rig.pipeline()).rejects.toThrow("stopped");
    rig.stop(false);
    await rig.push("two");
    const records = await rig.pipeline(); // begun with one, so it ends with one
    expect(records.get("a")!.inputs).toEqual({ [URL]: one });
    await expect(rig.pipeline()).rejects.toMatchObject({
      code: "failed_precondition",
      message: expect.stringMatching(
        /different now: s3:\/\/models\/team\/base has changed.*--rerun a/,
      ) as string,
    });
    expect(rig.used).toHaveLength(2);
    vi.stubEnv("STAGECRAFT_S3_SECRET_ACCESS_KEY", "another");
    await rig.pipeline();
    expect(rig.said.at(-2)).toMatch(/^a: whether there are newer models is not known: .*403/);
    vi.stubEnv("STAGECRAFT_S3_SECRET_ACCESS_KEY", credentials.secretAccessKey);
    await rig.pipeline(["a"]);
    expect(rig.used).toHaveLength(3);
    await rig.pipeline();
    expect(rig.used).toHaveLength(3);
  });
});
