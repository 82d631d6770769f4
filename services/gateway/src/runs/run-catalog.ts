import { setTimeout as delay } from "node:timers/promises";
import { StagecraftError, type JsonObject } from "@stagecraft/core";
import {
  alarmsOf,
  buildReport,
  factsOf,
  findRollouts,
  readRun,
  renderReport,
  renderRollouts,
  verdictOf,
  type RunData,
} from "@stagecraft/report";
import type {
  RunDetails,
  RunEvent,
  RunItem,
  RunKin,
  RunList,
  RunStages,
  StartRun,
} from "../http/api/index.js";
import {
  findRuns,
  runOfTrainer,
  TRAINER_MS,
  withDirectory,
  type FoundRun,
  type RunPlaces,
} from "./find-runs.js";
import { kinOf } from "./run-kin.js";
import { directoryRecords } from "./records.js";
import { trainerRecords } from "./trainer-records.js";

/** What can be done to a run. */
export type RunAction = "pause" | "resume" | "cancel";

export interface FollowOptions {
  signal: AbortSignal;
  /** Asked about once a second. */
  mayLook(): Promise<boolean>;
}

/** The runs of a trainer and of folders: looked at, followed, steered. */
export interface RunCatalog {
  list(): Promise<RunList>;
  item(runId: string): Promise<RunItem>;
  details(runId: string): Promise<RunDetails>;
  /** Ends with the signal, and soon after nobody may look any more. */
  follow(runId: string, how: FollowOptions): AsyncGenerator<RunEvent>;
  stages(): Promise<RunStages>;
  /** As the trainer answers: nothing asked of it afterwards can fail what took place. So does `control`. */
  start(run: StartRun): Promise<RunItem>;
  control(runId: string, action: RunAction): Promise<RunItem>;
  /** Self-contained pages: sampled answers token by token; the report of runs. */
  answersPage(runId: string): Promise<string>;
  reportPage(runIds: readonly string[]): Promise<string>;
}

const LOOK_MS = 300;
/** Looks at the state once in so many looks at the records. */
const LOOKS_PER_STATE = 3;
/** Pausing ends with a checkpoint, which may take its time. */
const CONTROL_MS = 120_000;

/** See RunCatalog. */
export function createRunCatalog(places: RunPlaces): RunCatalog {
  const { trainer: client } = places;
  const find = async (runId: string) => pick((await findRuns(places)).runs, runId);
  const ofTrainer = () => {
    if (client) return client;
    throw new StagecraftError("failed_precondition", "no trainer stands behind these pages", {
      details: { advice: "start the gateway with --trainer-address, or `stagecraft up`" },
    });
  };
  const dirOf = async (runId: string) => {
    const { dir, item } = await find(runId);
    if (dir !== undefined) return { dir, name: item.name };
    throw new StagecraftError("failed_precondition", "the run's folder is not on this machine", {
      details: { advice: "start the gateway where the runs are, with --runs-dirs" },
    });
  };

  return {
    async list() {
      const { runs, problems } = await findRuns(places);
      return { runs: runs.map(({ item }) => item), canStart: client !== undefined, problems };
    },
    item: async (runId) => (await find(runId)).item,
    async details(runId) {
      const { runs } = await findRuns(places);
      const found = pick(runs, runId);
      const { item, dir } = found;
      if (dir === undefined) return bareDetails(item, ELSEWHERE);
      const run = await readRun(dir, item.name).catch(() => undefined); // nothing stands there yet
      if (!run) return bareDetails(item);
      return { ...(await detailsOf(item, run)), ...(await kinOf(found, runs)) };
    },
    async *follow(runId, how) {
      const { dir, trainerRunId } = await find(runId);
      const problems: string[] = [];
      const onGap = () =>
        problems.push(
          "The trainer no longer keeps this run's first events: the curves begin later.",
        );
      const source =
        dir === undefined
          ? trainerRecords(ofTrainer(), trainerRunId!, onGap)
          : directoryRecords(dir);
      try {
        yield* events({ source, problems, item: async () => (await find(runId)).item, ...how });
      } finally {
        source.close();
      }
    },
    async stages() {
      const { stages } = await ofTrainer().listStages({}, { timeoutMs: TRAINER_MS });
      return {
        stages: stages.map(({ name, summary, configSchema = {} }) => ({
          ...{ name, summary, schema: configSchema },
        })),
      };
    },
    async start({ stage, name, config }) {
      const { run } = await ofTrainer().createRun({
        ...{ runId: name, stage, config: config as JsonObject, resume: false },
        ...{ runDir: "", overwrite: false },
      });
      // Not from the list, which the trainer may fail to give: the run is started all the same.
      return (await runOfTrainer(run!, places.dirs)).item;
    },
    async control(runId, action) {
      const found = await find(runId);
      const { trainerRunId } = found;
      if (trainerRunId === undefined) {
        throw new StagecraftError("failed_precondition", "no trainer steers this run", {
          details: { advice: "stop it where it was started: Ctrl-C saves and stops" },
        });
      }
      const trainer = ofTrainer();
      const ask = { runId: trainerRunId };
      const options = { timeoutMs: CONTROL_MS };
      const { run } = await trainer[`${action}Run`](ask, options);
      return withDirectory(await runOfTrainer(run!, places.dirs), found).item;
    },
    async answersPage(runId) {
      const { dir, name } = await dirOf(runId);
      const { rollouts } = await findRollouts(dir, { runDir: dir });
      return renderRollouts(rollouts, {
        title: `Answers of ${name}, update ${rollouts[0]!.update}`,
      });
    },
    async reportPage(runIds) {
      const found = await Promise.all(runIds.map(dirOf));
      const runs = await Promise.all(found.map(({ dir, name }) => readRun(dir, name)));
      return renderReport(await buildReport(runs));
    },
  };
}

function pick(runs: readonly FoundRun[], runId: string): FoundRun {
  const run = runs.find(({ item }) => item.runId === runId);
  if (run) return run;
  throw new StagecraftError("not_found", "there is no such run any more", {
    details: { advice: "load the list of runs again" },
  });
}

async function detailsOf(item: RunItem, run: RunData): Promise<Omit<RunDetails, keyof RunKin>> {
  const { values, data = [] } = factsOf(run);
  const alarms = await alarmsOf(run);
  const hasAnswers = await findRollouts(run.dir, { runDir: run.dir }).then(
    () => true,
    () => false,
  );
  return {
    ...{ run: item, verdict: verdictOf(run), problems: run.problems },
    alarms: alarms.filter(({ step }) => step === undefined),
    facts: Object.entries(values).map(([name, value]) => ({
      name,
      value: typeof value === "string" ? value : (JSON.stringify(value) ?? "not set"),
    })),
    ...{ data: [...data], hasAnswers, hasReport: true },
  };
}

const ELSEWHERE = "Its folder is not on this machine: only what the trainer tells is shown.";

/** Of a run without a folder here. */
function bareDetails(run: RunItem, problem?: string): RunDetails {
  return {
    ...{ run, verdict: `${run.stage} is ${run.state}.`, alarms: [], facts: [], data: [] },
    problems: problem === undefined ? [] : [problem],
    ...{ hasAnswers: false, hasReport: false, madeFrom: [], usedBy: [] },
  };
}

interface Followed extends FollowOptions {
  source: ReturnType<typeof directoryRecords>;
  /** Filled while it is followed. */
  problems: string[];
  item(): Promise<RunItem>;
}

async function* events({
  source,
  problems,
  item,
  signal,
  mayLook,
}: Followed): AsyncGenerator<RunEvent> {
  let told = "";
  for (let look = 0; !signal.aborted; look++) {
    if (look % LOOKS_PER_STATE === 0) {
      if (!(await mayLook())) return;
      const run = await item();
      const text = JSON.stringify(run);
      if (text !== told) yield { type: "run", run };
      told = text;
    }
    const found = await source.poll();
    if (found) yield { type: "records", isAll: found.isAll, records: [...found.records] };
    for (const text of problems.splice(0)) yield { type: "problem", text };
    await delay(LOOK_MS, undefined, { signal }).catch(() => undefined); // the page was closed
  }
}
