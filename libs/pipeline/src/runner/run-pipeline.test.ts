import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { silentReporter, type StageDefinition, type StageInput } from "@stagecraft/runs";
import type { PipelineFile } from "./pipeline-file.js";
import { planPipeline, type AnyStage } from "./plan.js";
import { runPipeline } from "./run-pipeline.js";

const schema = z.strictObject({ text: z.string().default(""), steps: z.number().int().default(1) });
let runDir: string;
let calls: { id: string; text: string; resume: boolean; overwrite: boolean }[];
let failing: string | undefined;
let inputs: StageInput[];

const echo: StageDefinition<z.infer<typeof schema>> = {
  name: "echo",
  summary: "writes down that it ran",
  schema,
  examples: [],
  inputs: () => inputs,
  run: async (config, { runDir: dir, resume, overwrite = false }) => {
    const { text } = config;
    const id = dir.split("/").at(-1)!;
    calls.push({ id, text, resume, overwrite });
    if (overwrite || !existsSync(join(dir, "run.json"))) await beginRun(dir, config);
    if (failing === id) throw new Error(`${id} failed`);
    return { modelDir: `${dir}/model`, outputs: { note: `${dir}/note.txt` }, metrics: {} };
  },
};
const stages = new Map<string, AnyStage>([["echo", echo]]);

async function beginRun(dir: string, config: object = {}): Promise<void> {
  await mkdir(dir, { recursive: true });
  const record = { startedAt: new Date().toISOString(), config };
  await writeFile(join(dir, "run.json"), JSON.stringify(record));
}

beforeEach(async () => {
  runDir = await mkdtemp(join(tmpdir(), "stagecraft-pipeline-"));
  calls = [];
  failing = undefined;
  inputs = [];
});
afterEach(() => rm(runDir, { recursive: true, force: true }));

function file(change: Partial<Record<"a" | "b" | "c", object>> = {}): PipelineFile {
  return {
    name: "test",
    run: runDir,
    variables: {},
    stages: {
      a: { stage: "echo", config: { text: "first", ...change.a } },
      b: { stage: "echo", config: { text: "${a.model}", ...change.b } },
      c: { stage: "echo", config: { text: "alone", ...change.c } },
    },
  };
}
const run = (pipeline: PipelineFile, rerun: string[] = [], rerunId?: string) => {
  const context = { signal: new AbortController().signal, reporter: silentReporter() };
  const variables = new Map<string, string>();
  const plan = planPipeline(pipeline, stages, variables);
  return runPipeline(plan, { runDir, variables, rerun, rerunId, context });
};
const ran = () => calls.map(({ id }) => id);

describe("runPipeline()", () => {
  it("hands outputs of a stage to later ones", async () => {
    await run(file());
    expect(calls.map(({ id, text }) => [id, text])).toEqual([
      ["a", "first"],
      ["b", join(runDir, "a", "model")],
      ["c", "alone"],
    ]);
  });

  it("skips what is finished and resumes what failed", async () => {
    failing = "b";
    await expect(run(file())).rejects.toThrow("b failed");
    failing = undefined;
    calls = [];
    await run(file());
    expect(calls.map(({ id, resume }) => [id, resume])).toEqual([
      ["b", true],
      ["c", true],
    ]);
    calls = [];
    await run(file());
    expect(calls).toEqual([]);
  });

  it("refuses a finished stage whose configuration changed, and says what to do", async () => {
    await run(file());
    await expect(run(file({ a: { steps: 9 } }))).rejects.toThrow("--rerun a");
  });

  it("keeps a finished stage whose configuration lacks a field of later versions, at its default", async () => {
    await run(file());
    calls = [];
    const later = { ...echo, schema: schema.extend({ overlong: z.string().default("cut") }) };
    const change = (config: object) => {
      const plan = planPipeline(file({ a: config }), new Map([["echo", later]]), new Map());
      const context = { signal: new AbortController().signal, reporter: silentReporter() };
      return runPipeline(plan, { runDir, variables: new Map(), rerun: [], context });
    };
    await change({});
    expect(ran()).toEqual([]);
    await expect(change({ overlong: "drop" })).rejects.toThrow(
      'stage a is finished, but what went into it is different now: overlong was "cut", now "drop"',
    );
    await expect(change({ steps: 2 })).rejects.toThrow("steps was 1, now 2");
  });

  it("case H: refuses a finished stage whose input was edited, and offers --rerun", async () => {
    const data = join(runDir, "..", `${basename(runDir)}.jsonl`);
    await writeFile(data, "one\n");
    inputs = [{ field: "data", kind: "data", path: data }];
    await run(file());
    await run(file());
    await writeFile(data, "two\n");
    await expect(run(file())).rejects.toThrow(
      `what went into it is different now: ${data} has changed. Run it and what depends on it again with --rerun a`,
    );
    await run(file(), ["a", "c"]);
    await rm(data); // as somebody does who needs the room: the results still stand
    calls = [];
    await run(file());
    expect(ran()).toEqual([]);
  });

  it("runs a stage again together with what depends on it", async () => {
    await run(file());
    calls = [];
    await run(file({ a: { text: "other" } }), ["a"]);
    expect(calls.map(({ id, overwrite }) => [id, overwrite])).toEqual([
      ["a", true],
      ["b", true],
    ]);
  });

  it("runs dependents of a rerun from scratch too when it was interrupted, and resumes what had begun", async () => {
    await run(file());
    failing = "a";
    await expect(run(file(), ["a"])).rejects.toThrow("a failed");
    failing = undefined;
    calls = [];
    await run(file());
    expect(calls.map(({ id, resume, overwrite }) => [id, resume, overwrite])).toEqual([
      ["a", true, false], // its second attempt had begun
      ["b", false, true], // what its directory holds was made from the a of before
    ]);
    calls = [];
    await run(file());
    expect(calls).toEqual([]);
  });

  it("a rerun with an id happens once: called again after a loss it goes on, and then skips", async () => {
    await run(file());
    failing = "b";
    await expect(run(file(), ["a"], "first")).rejects.toThrow("b failed");
    failing = undefined;
    calls = [];
    await run(file(), ["a"], "first");
    expect(calls.map(({ id, resume, overwrite }) => [id, resume, overwrite])).toEqual([
      ["b", true, false], // a is done again already, and b had begun
    ]);
    calls = [];
    await run(file(), ["a"], "first");
    expect(ran()).toEqual([]);
    await run(file(), ["a"], "second");
    expect(ran()).toEqual(["a", "b"]);
  });

  it("does not know stages that are not there", async () => {
    await expect(run(file(), ["z"])).rejects.toThrow("--rerun z: no such stage; known: a, b, c");
  });

  it("stops before the next stage when asked to", async () => {
    const context = { signal: AbortSignal.abort(), reporter: silentReporter() };
    const plan = planPipeline(file(), stages, new Map());
    await expect(
      runPipeline(plan, { runDir, variables: new Map(), rerun: [], context }),
    ).rejects.toThrow("[cancelled]");
    expect(ran()).toEqual([]);
  });
});

describe("planPipeline()", () => {
  it("reports every problem of every stage before anything runs", () => {
    const broken: PipelineFile = {
      ...file({ a: { steps: 1.5, colour: "red" }, b: { text: "${c.model}" } }),
    };
    broken.stages["d"] = { stage: "nonsense", config: {} };
    const message = (() => {
      try {
        planPipeline(broken, stages, new Map());
      } catch (error) {
        return (error as Error).message;
      }
      return "";
    })();
    for (const part of [
      "a: ",
      "steps",
      "colour",
      "b: ${c.model} is not defined",
      'd: there is no stage "nonsense"',
    ]) {
      expect(message).toContain(part);
    }
  });
});
