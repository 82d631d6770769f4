import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createJetStreamBus, deploymentTopology, type DeadLetter } from "@stagecraft/bus";
import { waitFor } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { readMetrics } from "@stagecraft/report";
import type { ClusterStatus } from "@stagecraft/cluster";
import { runCli } from "./spawn-cli.js";
import { clusterProblem, startUp, writeTinyWorld } from "./tiny-cluster.js";
import { openWorkshop, type Workshop } from "./tiny-model.js";

const missing = clusterProblem();

function inCluster({ path }: Workshop, ...args: string[]) {
  return runCli([...args, "--dir", path("cluster")]);
}

async function statusOf(workshop: Workshop): Promise<ClusterStatus> {
  const { out, err } = await inCluster(workshop, "status", "--json");
  if (out === "") throw new Error(err);
  return JSON.parse(out) as ClusterStatus;
}

async function deadLettersOf(workshop: Workshop): Promise<DeadLetter[]> {
  const { out } = await inCluster(workshop, "dead-letters", "list", "--json");
  const lines = out.split("\n").filter((line) => line !== "");
  return lines.map((line) => JSON.parse(line) as DeadLetter);
}

async function publishGarbage(natsUrl: string): Promise<void> {
  await using bus = await createJetStreamBus({ servers: [natsUrl], name: "test" });
  const garbage = new TextEncoder().encode("garbage");
  await bus.publish(deploymentTopology("main").subjects.prompts, garbage, { id: "garbage" });
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** A page loads, and a program gets an answer of the cluster's policy and a score, as long as all are up. */
async function chatOnPages(pages: string): Promise<void> {
  expect(await (await fetch(pages)).text()).toContain("<title>");
  const ask = async (path: string, body: object) => {
    const headers = { "content-type": "application/json" };
    const init = { method: "POST", headers, body: JSON.stringify(body) };
    const response = await fetch(`${pages}v1/${path}`, init);
    return [response.status, (await response.json()) as unknown];
  };
  const messages = [{ role: "user", content: "who?" }];
  const chat = await ask("chat/completions", { model: "assistant", messages, max_tokens: 2 });
  expect(chat).toMatchObject([200, { usage: { completion_tokens: expect.any(Number) as number } }]);
  const talk = [...messages, { role: "assistant", content: "a cat" }];
  const score = await ask("score", { model: "reward", messages: talk });
  expect(score).toMatchObject([200, { data: [{ score: expect.any(Number) as number }] }]);
}

const pidsOf = ({ processes }: ClusterStatus) => processes.map(({ pid }) => pid!);

describe.skipIf(missing !== undefined)(`a cluster${missing ? `: ${missing}` : ""}`, () => {
  it("comes up, scales, replaces a killed worker, trains with PPO, and goes down", async () => {
    await using workshop = await openWorkshop();
    const { path } = workshop;
    await writeTinyWorld(workshop.dir);
    using up = startUp(workshop, "--rollouts", "2");
    await up.waitFor('"event":"status"');

    const scaled = await inCluster(workshop, "scale", "rollout", "3");
    expect(scaled).toMatchObject({ code: 0, out: "rollout: 3 up\n" });
    const second = await inCluster(
      workshop,
      ...["up", "--policy-model", path("policy"), "--reward-model", path("reward")],
    );
    expect(second).toMatchObject({
      code: 1,
      err: expect.stringContaining("is in use by") as string,
    });

    const before = await statusOf(workshop);
    const names = before.processes.map(({ name }) => name).sort();
    expect(names).toEqual([
      ...[
        "gateway",
        "nats",
        "policy-1",
        "reward-model-1",
        "rollout-1",
        "rollout-2",
        "rollout-3",
        "trainer",
      ],
    ]);
    const victim = before.processes.find(({ name }) => name === "rollout-2")!;
    process.kill(victim.pid!, "SIGKILL");

    expect(up.said()).toMatch(/pages: http:\S+sign-in#\S+ signs the first operator in/);
    await chatOnPages(before.addresses.pages);
    const said = ["--feedback-address", `file:${path("cluster/addresses/gateway")}`];
    const flags = await runCli(["export", "flags", ...said, "--out", path("flags.jsonl")]);
    expect(flags).toMatchObject({ code: 0, out: `${path("flags.jsonl")}: 0 flags\n` });

    const settings = [
      ...["--prompts", path("prompts.jsonl"), "--updates", "3", "--prompts-per-update", "3"],
      ...["--epochs", "1", "--max-new-tokens", "4", "--json"],
    ];
    const ppo = await runCli([
      ...["ppo", "--cluster", path("cluster"), "--run", path("runs/first"), ...settings],
    ]);
    expect(ppo.err).toBe("");
    expect(ppo.code).toBe(0);
    const metrics = await readMetrics(path("runs/first/metrics.jsonl"));
    const updates = metrics.filter(({ kind }) => kind === "update").map(({ step }) => step);
    expect(updates).toEqual([1, 2, 3]);
    const heard = ppo.out.split("\n").filter((line) => line.includes('"kind":"update"'));
    expect(heard).toHaveLength(3);
    const embedded = await runCli([
      ...["ppo", "--run", path("embedded"), "--engine", "cpu", "--threads", "1", ...settings],
      ...["--policy", path("policy"), "--reward-model", path("reward")],
    ]);
    expect(embedded.code).toBe(0);
    const weights = (run: string) => readFile(path(`${run}/model/model.safetensors`));
    expect((await weights("runs/first")).equals(await weights("embedded"))).toBe(true);

    const after = await waitFor(async () => {
      const status = await statusOf(workshop);
      const again = status.processes.find(({ name }) => name === "rollout-2");
      const isDone = again?.state === "up" && status.training?.state === "succeeded";
      return isDone ? status : undefined;
    });
    const replaced = after.processes.find(({ name }) => name === "rollout-2")!;
    expect(replaced).toMatchObject({ restarts: 1, lastExit: "SIGKILL" });
    expect(replaced.pid).not.toBe(victim.pid);
    expect(after.training).toMatchObject({ runId: "first", stage: "ppo", done: 3, total: 3 });
    expect(after.traffic).toMatchObject({ promptsWaiting: 0, promptsInWork: 0, deadLetters: 0 });

    const setup = await inCluster(workshop, "nats", "setup", "--json");
    expect(setup.out.match(/"outcome":"unchanged"/g)).toHaveLength(7);
    const other = await inCluster(workshop, "nats", "setup", "--json", "--deployment", "other");
    expect(other.out.match(/"outcome":"created"/g)).toHaveLength(5);

    await publishGarbage(after.addresses.nats);
    const letters = await waitFor(async () => {
      const found = await deadLettersOf(workshop);
      return found.length > 0 ? found : undefined;
    });
    expect(letters).toMatchObject([{ sequence: 1, subject: "stagecraft.main.prompts" }]);
    const shown = await inCluster(workshop, "dead-letters", "show", "1", "--json");
    expect(JSON.parse(shown.out)).toMatchObject({ content: { base64: "Z2FyYmFnZQ==" } });
    expect((await inCluster(workshop, "dead-letters", "requeue", "1")).code).toBe(0);
    await waitFor(async () => (await deadLettersOf(workshop))[0]?.sequence === 2); // no better now

    const down = await inCluster(workshop, "down");
    expect(down).toMatchObject({ code: 0, out: "stopped: 8 drained\n" });
    expect((await up.done).code).toBe(0);
    expect(pidsOf(after).filter(isAlive)).toEqual([]);
    expect((await inCluster(workshop, "status")).err).toContain("no cluster runs in");
  }, 240_000);

  it("ends with its supervisor, however that ends", async () => {
    await using workshop = await openWorkshop();
    await writeTinyWorld(workshop.dir);
    using up = startUp(workshop, "--rollouts", "1");
    await up.waitFor('"event":"status"');
    const pids = pidsOf(await statusOf(workshop));
    expect(pids.filter(isAlive)).toHaveLength(6);
    up.kill("SIGKILL");
    await waitFor(() => !pids.some(isAlive), {
      timeoutMs: 30_000,
      what: "the end of all processes",
    });
    const down = await inCluster(workshop, "down");
    expect(down).toMatchObject({ code: 1, err: expect.stringContaining("no cluster") as string });
  }, 120_000);

  it("says what a service that does not start has said, and leaves nothing running", async () => {
    await using workshop = await openWorkshop();
    await writeTinyWorld(workshop.dir);
    using up = startUp(workshop, "--rollouts", "1", "--set", "policy.maxActive=0");
    const { code, err } = await up.done;
    expect(code).toBe(1);
    expect(err).toMatch(/policy-1 does not start \(exit code 1\): .*maxActive/);
    expect(await readFile(workshop.path("cluster/processes.json"), "utf8")).toBe("[]");
    expect(existsSync(workshop.path("cluster/cluster.lock"))).toBe(false);
  }, 120_000);
});

describe("without a cluster", () => {
  it("says what to run first", async () => {
    await using workshop = await openWorkshop();
    const cwd = workshop.dir;
    const up = await runCli(["up"], { cwd });
    expect(up.code).toBe(2);
    expect(up.err).toMatch(/no model in runs\/demo\/sft\/model .*npm run demo/);
    for (const args of [["status"], ["down"], ["scale", "rollout", "2"]]) {
      const { code, err } = await runCli(args, { cwd });
      expect([code, err]).toEqual([1, expect.stringContaining("npm run up") as string]);
    }
    expect((await runCli(["scale", "trainer", "2"], { cwd })).code).toBe(2);
    expect((await runCli(["ppo", "--cluster", "--prompts", "p"], { cwd })).err).toContain(
      "npm run up",
    );
  });
});
