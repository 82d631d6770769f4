import { setTimeout as delay } from "node:timers/promises";
import { waitFor } from "@stagecraft/testing";
import type { FaultContext, FaultResult, FaultRow } from "../fault-row.js";
import { startPipeline, type Pipeline } from "../world/pipeline.js";
import type { ServiceProcess } from "../world/service-process.js";

const WAYS = ["stopped while it commits", "takes over", "stopped past its lease"] as const;

const STOP = { point: "before-save", nth: 3, signal: "SIGSTOP" } as const;

/** A second trainer of the same deployment, in the three ways it can come to that. */
async function run(context: FaultContext): Promise<FaultResult> {
  const { count } = context;
  await using pipeline = await startPipeline({ context, firstTrainer: { crash: STOP } });
  const problems: string[] = [];
  for (let i = 0; i < count; i++) {
    const way = WAYS[i % WAYS.length]!;
    const older = await prepare(pipeline, way, i === 0);
    const newer = await pipeline.startTrainer(
      way === "takes over" ? { flags: { "take-over": true } } : {},
    );
    await newer.serving();
    pipeline.trainer = newer;
    if (way !== "takes over") {
      await pipeline.advance(2, `of the newer trainer (${way})`);
      await older.kill("SIGCONT");
    }
    problems.push(...(await endOf(pipeline, older, way)));
    // With two writers nothing else can be told.
    if (problems.length + pipeline.problems().length > 0) break;
    await pipeline.advance(2, `after the older trainer ended (${way})`);
    await pipeline.check();
    context.progress(i + 1, count, way);
  }
  if (problems.length === 0) await pipeline.oracle.finish();
  return {
    problems: [...pipeline.problems(), ...problems],
    figures: { successions: count, updates: pipeline.oracle.latestStep() },
  };
}

/** The older trainer in the state in which the newer one finds it. */
async function prepare(
  pipeline: Pipeline,
  way: (typeof WAYS)[number],
  isFirst: boolean,
): Promise<ServiceProcess> {
  const { trainer } = pipeline;
  if (way === "stopped past its lease") {
    await delay(100);
    await trainer.kill("SIGSTOP");
    return trainer;
  }
  if (way === "takes over") return trainer;
  if (!isFirst) await trainer.kill("SIGKILL");
  const stopping = isFirst ? trainer : await pipeline.startTrainer({ crash: STOP });
  await waitFor(() => isStopped(stopping), { timeoutMs: 60_000, what: "the stop in a commit" });
  return stopping;
}

async function isStopped({ pid }: ServiceProcess): Promise<boolean> {
  const { readFile } = await import("node:fs/promises");
  return /\) T/.test(await readFile(`/proc/${pid}/stat`, "utf8"));
}

const MAX_END_MS = 10_000;

/** Looks at the checkpoints all the while: what two write, the one soon hides from the other. */
async function endOf(pipeline: Pipeline, older: ServiceProcess, way: string): Promise<string[]> {
  const endsAt = performance.now() + MAX_END_MS;
  while (!older.hasEnded() && performance.now() < endsAt) {
    await pipeline.check();
    await delay(10);
  }
  const ended = older.hasEnded() ? await older.exited : "not at all";
  const output = older.output().slice(-2000);
  const told = /has taken over lease|was taken over/.test(output);
  return [
    ...(ended === 1 ? [] : [`the older trainer (${way}) ended with ${ended}: ${output}`]),
    ...(told ? [] : [`the older trainer (${way}) did not say why: ${output}`]),
  ];
}

/** See `doc`. */
export const twoTrainers: FaultRow = {
  name: "two-trainers",
  doc: "two trainers at once, also one that was only stopped past its lease, in a commit too: the older is fenced and says so, one writes",
  counts: { full: 30, short: 2 },
  run,
  controls: [
    {
      name: "no lock on the directory and no lease",
      file: "libs/checkpoint/dist/directory-lock.js",
      find: "throw takenOver(file, holder);",
      replace: "return;",
      also: [
        {
          file: "libs/bus/dist/lease.js",
          find: "this.losing.abort(reason);",
          replace: "",
        },
      ],
      count: 1,
      expect: /went back|committed twice|is of lease/,
    },
  ],
};
