import { readFile } from "node:fs/promises";
import { sha256OfTensors } from "@stagecraft/checkpoint";
import type { ClusterStatus } from "@stagecraft/cluster";
import { policy } from "@stagecraft/contracts";
import { writeJsonl } from "@stagecraft/data";
import { loadModel } from "@stagecraft/model";
import { createRpcClient } from "@stagecraft/rpc";
import { waitFor } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { runCli } from "./spawn-cli.js";
import { clusterProblem, startUp, writeTinyWorld } from "./tiny-cluster.js";
import { openWorkshop, type Workshop } from "./tiny-model.js";

const missing = clusterProblem();

async function writeLoopInputs(workshop: Workshop): Promise<string[]> {
  const { path } = workshop;
  await writeTinyWorld(workshop.dir);
  const letters = [..."abcdefgh"].flatMap((a) => [..."abc"].map((b) => a + b));
  const prompts = letters.map((content, i) => ({
    id: `p${i}`,
    messages: [{ role: "user", content }],
  }));
  await writeJsonl(path("prompts.jsonl"), prompts);
  const demonstration = [
    { role: "user", content: "a" },
    { role: "assistant", content: "b" },
  ];
  await writeJsonl(path("written/mine.jsonl"), [{ messages: demonstration }]);
  const ppo = "promptsPerUpdate: 3\nupdates: 2\nepochs: 1\n";
  await workshop.write("ppo.yaml", ppo);
  await workshop.write("reward.yaml", "batchSize: 8\nepochs: 1\n");
  await workshop.write("sft.yaml", "batchSize: 2\nepochs: 2\nlearningRate: 0.01\n");
  const script = `const lines = require("fs").readFileSync(0, "utf8").trim().split("\\n");
for (const set of lines.map(JSON.parse)) {
  const ranks = set.answers.map((answer) => 1 + (answer.length % 3));
  console.log(JSON.stringify({ ...set, ranks }));
}`;
  const program = await workshop.write("rank.cjs", script);
  return [
    ...["--policy", path("policy"), "--prompts", path("prompts.jsonl")],
    ...["--ranker", "command", "--rank-command", `"${process.execPath}" "${program}"`],
    ...["--ppo-config", path("ppo.yaml"), "--reward-config", path("reward.yaml")],
    ...["--sft-every", "1", "--sft-config", path("sft.yaml")],
    ...["--demonstration-inbox", path("written")],
    ...["--prompts-per-round", "16", "--samples-per-prompt", "3", "--max-new-tokens", "4"],
    ...["--held-out-fraction", "0.3", "--min-held-out-pairs", "1", "--rounds", "1"],
    ...["--engine", "cpu", "--threads", "1"],
  ];
}

interface State {
  policy: string;
  rewardModel: string;
  rounds: { newDemonstrations: number }[];
}

describe.skipIf(missing !== undefined)(`loop --cluster${missing ? `: ${missing}` : ""}`, () => {
  it("runs a round on the trainer, leaves the policies serving what it made, and rolls back", async () => {
    await using workshop = await openWorkshop();
    const { path } = workshop;
    const flags = await writeLoopInputs(workshop);
    using up = startUp(workshop, "--rollouts", "1");
    await up.waitFor('"event":"status"');
    const loop = (...more: string[]) =>
      runCli(["loop", "--cluster", path("cluster"), "--run", path("runs/loop"), ...more]);
    const { code, err } = await loop(...flags);
    expect([code, code === 0 ? "" : err]).toEqual([0, ""]);
    expect(err).toContain("ranking and the judgement of reward models stay in this process");

    const stateOf = async () =>
      JSON.parse(await readFile(path("runs/loop/loop-state.json"), "utf8")) as State;
    const state = await stateOf();
    expect(state.rounds.map(({ newDemonstrations }) => newDemonstrations)).toEqual([1]);
    const { out } = await runCli(["status", "--dir", path("cluster"), "--json"]);
    const status = JSON.parse(out) as ClusterStatus;
    expect(status.models.reward).toBe(state.rewardModel);
    const served = () => servedWeights(status.addresses.policies[0]!);
    await waitFor(async () => (await served()) === (await weightsOf(state.policy)));

    const back = await loop("--rollback", "0");
    expect([back.code, back.code === 0 ? "" : back.err]).toEqual([0, ""]);
    expect((await stateOf()).policy).toBe(path("policy"));
    await waitFor(async () => (await served()) === (await weightsOf(path("policy"))));
  }, 240_000);
});

async function servedWeights(address: string): Promise<string | undefined> {
  const client = createRpcClient(policy.PolicyServiceClient, address);
  try {
    return (await client.getModelInfo({ model: "" })).info?.weights?.sha256;
  } finally {
    client.close();
  }
}

async function weightsOf(modelDir: string): Promise<string> {
  const model = await loadModel(modelDir, { heads: ["lm"] });
  try {
    return sha256OfTensors(model.tensors());
  } finally {
    model.dispose();
  }
}
