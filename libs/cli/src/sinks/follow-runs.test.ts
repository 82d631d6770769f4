import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { Socket } from "node:net";
import { join } from "node:path";
import { gate, tempDir } from "@stagecraft/testing";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { openFakeMlflow } from "../../test/sinks/fake-mlflow.js";
import { recordEnds } from "./event-file.js";
import { followRuns } from "./follow-runs.js";
import type { SinkKind } from "./metrics-sink.js";
import { mlflowSink } from "./mlflow-sink.js";
import { tensorboardSink } from "./tensorboard-sink.js";

let root: string;
beforeEach(async () => {
  const directory = await tempDir();
  root = join(directory.path, "sft");
  await mkdir(root);
  return () => directory[Symbol.asyncDispose]();
});

const line = (step: number) => JSON.stringify({ kind: "train", step, loss: step / 2 });

/** A run that has these steps, as its directory tells it. */
async function runHas(steps: readonly number[], { dir = root, state = "running" } = {}) {
  await mkdir(dir, { recursive: true });
  const record = { formatVersion: 2, stage: "sft", state, config: { seed: 1, data: ["a"] } };
  await writeFile(join(dir, "run.json"), JSON.stringify({ ...record, versions: { node: "20" } }));
  await writeFile(join(dir, "metrics.jsonl"), steps.map((step) => `${line(step)}\n`).join(""));
}

/** What a command does: follows while `work` works. */
async function follow(kind: SinkKind, work: () => Promise<void>): Promise<string[]> {
  const told: string[] = [];
  const reporter = { warn: (text: string) => void told.push(text) };
  const follower = await followRuns(root, { kinds: [kind], reporter });
  await work();
  follower.tell();
  await follower.close();
  return told;
}

async function events(dir: string): Promise<number[]> {
  const files = await readdir(dir);
  expect(files).toHaveLength(1);
  const content = await readFile(join(dir, files[0]!));
  const ends = recordEnds(content);
  expect(ends.at(-1)).toBe(content.length);
  // The step is the varint after the nine bytes of wall_time; small here.
  return ends.slice(1).map((_, i) => content[ends[i]! + 12 + 10]!);
}

describe("followRuns()", () => {
  afterEach(() => void vi.useRealTimers());

  it("begins no second round of calls while a slow server holds up the first", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    await runHas([1]);
    const answer = gate();
    let numCalls = 0;
    const bring = () => (++numCalls === 1 ? Promise.resolve() : answer.opened);
    const sink = { bring, end: () => Promise.resolve(), missing: () => 0 };
    const kinds = [{ name: "slow", open: () => Promise.resolve(sink) }];
    const follower = await followRuns(root, { kinds, reporter: { warn: () => undefined } });
    for (let second = 0; second < 9; second++) {
      follower.tell();
      vi.advanceTimersByTime(1000);
    }
    answer.open();
    await follower.close();
    expect(numCalls).toBe(3); // at the beginning, the one that waited, at the end
  });

  it("says once what goes wrong for one run while others go well, and counts what it never opened", async () => {
    await runHas([1, 2], { dir: join(root, "bad") });
    await runHas([1], { dir: join(root, "good") });
    await writeFile(join(root, "bad", "tensorboard"), "a file where the folder would be");
    const told: string[] = [];
    const reporter = { warn: (text: string) => void told.push(text) };
    const follower = await followRuns(root, { kinds: [tensorboardSink()], reporter });
    await follower.close();
    expect(told).toEqual([
      expect.stringMatching(/^TensorBoard: .*training goes on/),
      expect.stringMatching(/^TensorBoard does not have 2 records/),
    ]);
  });

  it("leaves out a line that cannot be read, says so, and does not fail", async () => {
    await runHas([1, 2]);
    const file = join(root, "metrics.jsonl");
    await writeFile(file, `${line(1)}\n{"kind":"tra\n${line(2)}\n`);
    const told = await follow(tensorboardSink(), () => Promise.resolve());
    expect(told).toEqual([
      "1 lines of metrics.jsonl cannot be read; TensorBoard does not have them",
    ]);
    expect(await events(join(root, "tensorboard"))).toEqual([1, 2]);
  });
});

describe("tensorboardSink()", () => {
  it("writes one event a record, and cuts off what a resumed run takes back: no double point", async () => {
    const kind = () => tensorboardSink();
    await runHas([]);
    await follow(kind(), () => runHas([1, 2, 3]));
    expect(await events(join(root, "tensorboard"))).toEqual([1, 2, 3]);
    await follow(kind(), async () => {
      await runHas([1]); // resumed from the checkpoint of step 1
      await runHas([1, 2, 4, 5]);
    });
    expect(await events(join(root, "tensorboard"))).toEqual([1, 2, 4, 5]);
  });

  it("goes on after a file that was torn, and one that lacks what came without the sink", async () => {
    await runHas([1, 2]);
    await follow(tensorboardSink(), () => Promise.resolve());
    const dir = join(root, "tensorboard");
    const file = join(dir, (await readdir(dir))[0]!);
    await writeFile(file, (await readFile(file)).subarray(0, -3));
    await runHas([1, 2, 3, 4]);
    await follow(tensorboardSink(), () => Promise.resolve());
    expect(await events(dir)).toEqual([1, 2, 3, 4]);
  });

  it("has no point of steps that were taken back while it was not there", async () => {
    await runHas([1, 2, 3]);
    await follow(tensorboardSink(), () => Promise.resolve());
    await runHas([1, 4, 5, 6]); // resumed from the checkpoint of step 1, without the sink
    await follow(tensorboardSink(), () => Promise.resolve());
    expect(await events(join(root, "tensorboard"))).toEqual([1, 4, 5, 6]);
  });

  it("follows every run below: the stages of a pipeline, the rounds of a loop", async () => {
    const out = join(root, "..", "board");
    await follow(tensorboardSink(out), async () => {
      await runHas([1], { dir: join(root, "pretrain") });
      await runHas([2], { dir: join(root, "rounds", "0001", "ppo") });
    });
    expect(await events(join(out, "sft", "pretrain"))).toEqual([1]);
    expect(await events(join(out, "sft", "rounds", "0001", "ppo"))).toEqual([2]);
  });
});

describe("mlflowSink()", () => {
  const steps = (points: { step: number }[]) => points.map(({ step }) => step);

  it("sends configuration, figures and how the run ended; name and password go as a header", async () => {
    await using server = await openFakeMlflow();
    await follow(mlflowSink({ url: server.url }), () => runHas([1, 2], { state: "succeeded" }));
    const [run] = server.runs;
    expect(run).toMatchObject({ name: "sft", status: "FINISHED", params: { data: '["a"]' } });
    expect(run!.points.map(({ key, value, step }) => [key, value, step])).toEqual([
      ["train/loss", 0.5, 1],
      ["train/loss", 1, 2],
    ]);
    const header = `Basic ${Buffer.from("ann:secret").toString("base64")}`;
    expect([...server.authorizations]).toEqual([header]);
    expect(await readFile(join(root, "mlflow.json"), "utf8")).not.toContain("secret");
  });

  it("goes on with the same run when it is resumed, without a double point", async () => {
    await using server = await openFakeMlflow();
    const kind = () => mlflowSink({ url: server.url });
    await follow(kind(), () => runHas([1, 2, 3]));
    await follow(kind(), async () => {
      await runHas([1]);
      await runHas([1, 2, 3, 4]);
    });
    expect(server.runs).toHaveLength(1);
    expect(steps(server.runs[0]!.points)).toEqual([1, 2, 3, 4]);
  });

  it("sends the configuration later when the server went away before it had it", async () => {
    await using server = await openFakeMlflow();
    const kind = () => mlflowSink({ url: server.url, firstDelayMs: 1 });
    server.failAt("runs/log-batch", 3);
    await follow(kind(), () => runHas([1]));
    expect(await follow(kind(), () => Promise.resolve())).toEqual([]);
    expect(server.runs).toMatchObject([{ params: { data: '["a"]' } }]);
  });

  it("sends nothing twice when the answer to a batch is lost", async () => {
    await using server = await openFakeMlflow();
    const kind = () => mlflowSink({ url: server.url, firstDelayMs: 1 });
    await follow(kind(), () => runHas([1]));
    server.failures.push(...Array.from({ length: 3 }, () => "lose the answer" as const));
    await runHas([1, 2]);
    expect(await follow(kind(), () => Promise.resolve())).toEqual([]);
    expect(steps(server.runs[0]!.points)).toEqual([1, 2]);
  });

  it("repeats calls to a server that is busy or away for a moment", async () => {
    await using server = await openFakeMlflow();
    server.failures.push("503", "hang up");
    const kind = mlflowSink({ url: server.url, firstDelayMs: 1 });
    expect(await follow(kind, () => runHas([1]))).toEqual([]);
    expect(steps(server.runs[0]!.points)).toEqual([1]);
  });

  it("never stops training when the server is gone: says so once and counts; later it catches up", async () => {
    const server = await openFakeMlflow();
    await server[Symbol.asyncDispose]();
    const kind = () => mlflowSink({ url: server.url, firstDelayMs: 1 });
    const told = await follow(kind(), () => runHas([1, 2]));
    expect(told).toEqual([
      expect.stringMatching(/^MLflow: http:.*does not answer; training goes on/),
      expect.stringMatching(/^MLflow does not have 2 records of metrics\.jsonl; .*--resume/),
    ]);
    await rm(join(root, "mlflow.json"), { force: true });
    await using again = await openFakeMlflow();
    expect(await follow(mlflowSink({ url: again.url }), () => runHas([1, 2, 3]))).toEqual([]);
    expect(steps(again.runs[0]!.points)).toEqual([1, 2, 3]);
  });

  it("waits for one connection, not for three calls, at a host that swallows what is sent to it", async () => {
    await runHas([1, 2]);
    let numTries = 0;
    const connect = () => {
      numTries++;
      return new Socket(); // never connects, never fails
    };
    const sink = mlflowSink({ url: "http://swallows.test:5000", connectMs: 20, connect });
    const told = await follow(sink, () => Promise.resolve());
    expect(numTries).toBe(2); // at the beginning and at the end
    expect(told).toEqual([
      "MLflow: http://swallows.test:5000 takes no connection within 20 ms; training goes on, and it is tried again",
      expect.stringContaining("MLflow does not have 2 records"),
    ]);
  });

  it("refuses an address that is none before anything runs", () => {
    for (const url of ["", "localhost:5000", "ftp://x"]) {
      expect(() => mlflowSink({ url })).toThrow("is no address of an MLflow server");
    }
  });
});
