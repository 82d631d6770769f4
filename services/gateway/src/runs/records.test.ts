import { appendFile, mkdtemp, rm, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { directoryRecords } from "./records.js";
import { trainerRecords } from "./trainer-records.js";

let dir: string;
const line = (step: number) => `${JSON.stringify({ kind: "train", step })}\n`;
const put = (text: string) => appendFile(join(dir, "metrics.jsonl"), text);
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "stagecraft-records-"));
  await writeFile(join(dir, "run.json"), "{}");
});
afterEach(() => rm(dir, { recursive: true, force: true }));

it("gives all at first, then what is added, and a line when it is whole", async () => {
  await put(line(1) + line(2).slice(0, 8));
  const source = directoryRecords(dir);
  expect(await source.poll()).toMatchObject({ isAll: true, records: [{ step: 1 }] });
  expect(await source.poll()).toBeUndefined();
  await put(line(2).slice(8) + line(3));
  expect(await source.poll()).toMatchObject({ isAll: false, records: [{ step: 2 }, { step: 3 }] });
});

it("begins anew when a resumed run has cut off its lost steps, even if it is longer by now", async () => {
  await put(line(1) + line(2));
  const source = directoryRecords(dir);
  await source.poll();
  await truncate(join(dir, "metrics.jsonl"), line(1).length);
  await put(line(2) + line(3));
  await utimes(join(dir, "run.json"), 1, 1); // resuming writes it anew
  expect(await source.poll()).toMatchObject({
    isAll: true,
    records: [{ step: 1 }, { step: 2 }, { step: 3 }],
  });
});

it("over the trainer's watch goes on after its last event, and says when the first are gone", async () => {
  const asked: bigint[] = [];
  const metrics = (sequence: bigint, step: number) => ({
    ...{ sequence, time: undefined },
    event: { $case: "metrics" as const, value: { step } },
  });
  const client = {
    watchRun: async function* ({ afterSequence }: { afterSequence?: bigint }) {
      asked.push(afterSequence!);
      yield metrics(asked.length === 1 ? 5n : 6n, asked.length);
      throw new Error("the trainer was killed");
    },
  };
  let gaps = 0;
  const source = trainerRecords(client as never, "r", () => gaps++);
  const seen: unknown[] = [];
  while (seen.length < 2) {
    for (const { step } of (await source.poll())?.records ?? []) seen.push(step);
    await new Promise((resolve) => setImmediate(resolve));
  }
  source.close();
  expect([seen, asked.slice(0, 2), gaps]).toEqual([[1, 2], [0n, 5n], 1]);
});
