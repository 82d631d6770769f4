import { setTimeout as delay } from "node:timers/promises";
import { waitFor } from "@stagecraft/testing";
import type { FaultContext, FaultResult, FaultRow } from "../fault-row.js";
import { startPipeline } from "../world/pipeline.js";
import type { CrashPoint } from "../world/service-process.js";
import { Times } from "../world/times.js";

const POINTS: CrashPoint[] = [
  "mid-write",
  "before-save",
  "after-tmp",
  "after-rename",
  "before-latest",
  "before-ack",
];

/**
 * The trainer dies in turn at a random moment, its start included, and at each point of writing a
 * checkpoint. Nobody tells the next one to go on.
 */
async function run(context: FaultContext): Promise<FaultResult> {
  const { random, count } = context;
  await using pipeline = await startPipeline({ context });
  const times = new Times();
  for (let i = 0; i < count; i++) {
    if (i % 2 === 0) {
      await delay(random.nextFloat() * 1500);
      await pipeline.trainer.kill("SIGKILL");
    } else {
      await pipeline.trainer.kill("SIGKILL");
      const point = POINTS[((i - 1) / 2) % POINTS.length]!;
      const crash = { point, nth: 1 + random.nextInt(3) };
      pipeline.trainer = await pipeline.startTrainer({ crash });
      const { hasEnded } = pipeline.trainer;
      const struck = waitFor(hasEnded, {
        timeoutMs: context.patienceMs,
        what: `the crash at ${point}`,
      });
      await pipeline.explained(struck);
    }
    await pipeline.check();
    const startedAt = performance.now();
    pipeline.trainer = await pipeline.startTrainer();
    if (i % 5 === 4 || i === count - 1) {
      await pipeline.advance(2, `after kill ${i + 1}`);
      times.add(performance.now() - startedAt);
    }
    context.progress(i + 1, count, `update ${await pipeline.oracle.pointer()}`);
  }
  await pipeline.check();
  await pipeline.trainer.kill("SIGTERM");
  await pipeline.oracle.finish();
  return {
    problems: pipeline.problems(),
    figures: {
      kills: count,
      updates: pipeline.oracle.latestStep(),
      rollouts: pipeline.oracle.numRollouts(),
      "two updates after start, max ms": times.max(),
    },
  };
}

const LOOP = "libs/runs/dist/loop/resumable-loop.js";

/** See `doc`. */
export const trainerKill: FaultRow = {
  name: "trainer-kill",
  doc: "kill -9 of the trainer, at forced points of a checkpoint too: no torn checkpoint, nothing learnt from twice, steps only grow, the run goes on by itself",
  counts: { full: 300, short: 6 },
  run,
  controls: [
    {
      name: "rollouts are acknowledged before the checkpoint",
      file: LOOP,
      find: 'await this.phase("checkpoint", () =>',
      replace: 'await task.saved?.(); await this.phase("checkpoint", () =>',
      count: 12,
      expect: /is acknowledged before its checkpoint/,
    },
    {
      name: "checkpoints are written in place",
      file: "libs/checkpoint/dist/atomic-directory.js",
      find: "const temporary = temporaryName(directory);",
      replace: "const temporary = directory;",
      also: [
        {
          file: "libs/checkpoint/dist/atomic-directory.js",
          find: "await swapIn(temporary, directory, fileSystem);",
          replace: "await syncDirectory(directory, fileSystem);",
        },
      ],
      count: 2,
      expect: /step-\d+.*(manifest|ENOENT|SyntaxError)/,
    },
    {
      name: "the trainer does not restore its checkpoint",
      file: LOOP,
      find: "context.resume ?",
      replace: "context.never ?",
      count: 4,
      expect: /went back|committed twice|stuck/,
    },
  ],
};
