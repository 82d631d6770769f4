import { readdir } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import {
  example,
  makeBase,
  openWorkshop,
  runCli,
  writeRecords,
  type Workshop,
} from "./case-kit.js";

interface Stages {
  [id: string]: { stage: string; config: object };
}

async function pipelineFile(workshop: Workshop, stages: Stages): Promise<string> {
  const pipeline = { name: "hopeless", run: workshop.path("run"), stages };
  return await workshop.write("pipeline.json", JSON.stringify(pipeline));
}

describe("a configuration that cannot work is refused before any work", () => {
  it("case N: nine answers and the reference are ten, more than a ranking compares", async () => {
    await using workshop = await openWorkshop();
    const messages = [{ role: "user", content: "Yes?" }];
    const prompts = await writeRecords(workshop, "ref.jsonl", [{ messages, reference: "Yes." }]);
    const model = await makeBase(workshop.path("base"));
    const answers = { model, prompts: [prompts], samplesPerPrompt: 9, maxNewTokens: 8, threads: 1 };
    const stages = (addReference: boolean) => ({
      answers: { stage: "collect", config: answers },
      rankings: { stage: "rank", config: { answers: "${answers.answers}", addReference } },
    });
    for (const flags of [["--dry-run"], []]) {
      const file = await pipelineFile(workshop, stages(true));
      const { code, err } = await runCli(["pipeline", "run", file, ...flags]);
      expect(code).toBe(2);
      expect(err).toContain(
        "rankings: 9 sampled answers and the reference are more than the 9 that a ranking compares",
      );
    }
    expect(await readdir(workshop.path("run"))).not.toContain("answers");
    const fits = await pipelineFile(workshop, stages(false));
    expect((await runCli(["pipeline", "run", fits, "--dry-run"])).code).toBe(0);
  });

  it("every stage of a pipeline: what is missing, sizes, contexts; what is to come is present", async () => {
    await using workshop = await openWorkshop();
    const corpus = await workshop.write("corpus.txt", "The owl sings at night.\n");
    const data = await writeRecords(workshop, "data.jsonl", [example("Who?", "The owl.")]);
    const base = { corpus: [corpus], contextLength: 32, hiddenSize: 100, numHeads: 3 };
    const file = await pipelineFile(workshop, {
      base: { stage: "pretrain", config: base },
      tune: {
        stage: "sft",
        config: { model: "${base.model}", data: [data, workshop.path("none.jsonl")] },
      },
      long: {
        stage: "sft",
        config: { model: "${base.model}", data: [data], contextLength: 64 },
      },
      typo: { stage: "sft", config: { model: "${long.modle}", data: [data] } },
    });
    const { code, err } = await runCli(["pipeline", "run", file, "--dry-run"]);
    expect(code).toBe(2);
    for (const problem of [
      "base: model config: headSize must be an integer from 1 to 65536, got 33.3",
      `tune: data: there is no file or folder ${workshop.path("none.jsonl")}`,
      "long: contextLength 64 is more than the 32 positions of ",
      "typo: sft has no output ${long.modle}; it has ${long.model}",
    ]) {
      expect(err).toContain(problem);
    }
    expect(err).not.toContain("tokenizer");
  });

  it("a stage alone, with and without --dry-run", async () => {
    await using workshop = await openWorkshop();
    const corpus = await workshop.write("corpus.txt", "The owl sings at night.\n");
    const run = workshop.path("base");
    const sizes = ["--hidden-size", "100", "--num-heads", "3", "--run", run];
    const { code, err } = await runCli(["pretrain", "--corpus", corpus, ...sizes]);
    expect([code, err]).toEqual([2, expect.stringContaining("hiddenSize 100 in 3 heads")]);
    expect(await readdir(workshop.dir)).toEqual(["corpus.txt"]);
    const data = await writeRecords(workshop, "data.jsonl", [example("Who?", "The owl.")]);
    const model = await makeBase(workshop.path("model"));
    const args = ["sft", "--model", model, "--run", run, "--dry-run"];
    const missing = await runCli([...args, "--data", workshop.path("none.jsonl")]);
    expect([missing.code, missing.err]).toEqual([1, expect.stringContaining("none.jsonl")]);
    const long = await runCli([...args, "--data", data, "--context-length", "65"]);
    expect(long.err).toContain("contextLength 65 is more than the 64 positions");
    expect((await runCli([...args, "--data", data, "--context-length", "64"])).code).toBe(0);
    const loop = ["loop", "--policy", model, "--prompts", data, "--run", run, "--dry-run"];
    const rounds = await runCli([...loop, "--max-new-tokens", "64", "--ppo-config", "none.yaml"]);
    expect(rounds.code).toBe(2);
    expect(rounds.err).toContain("maxNewTokens 64 leaves no room for a prompt in the 64 positions");
    expect(rounds.err).toContain("ppoConfig: ");
  });
});
