import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { feedback } from "@stagecraft/contracts";
import { holdOut, readRankings, writeRankings, type Ranking } from "@stagecraft/data";
import { silentReporter, type StageReporter } from "@stagecraft/runs";
import { createRpcClient, createRpcServer, type RpcServer } from "@stagecraft/rpc";
import { createFeedbackService, openStore } from "@stagecraft/service-gateway";
import { initEngine, tf } from "@stagecraft/tensor";
import { pgliteTemplate } from "@stagecraft/testing";
import { readAnswers } from "../ranking/answers.js";
import { openInbox } from "./inbox.js";
import { loopSchema } from "./loop-config.js";
import { createLoopStage } from "./loop-stage.js";
import type { LoopRound } from "./loop-state.js";
import { gatherPool } from "./pool.js";
import { promotionText } from "./improve-reward-model.js";
import { compareRewardModels } from "./promotion.js";
import { loopName } from "./loop-reports.js";
import { rankingGoal } from "./ranking-goal.js";
import { roundTable } from "./round-table.js";
import { ranker, rounds, runLoop, weightsOf, writeInputs } from "../../test/loop-kit.js";
import { waitForRankings } from "./wait-for-rankings.js";

let dir: string;
beforeAll(() => initEngine({ numThreads: 1 }));
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "stagecraft-loop-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

/** What must not depend on where the loop runs or how fast. */
const essence = (rows: LoopRound[]) =>
  rows.map(({ policy: _p, reference: _f, rewardModel: _r, elapsedMs: _e, ...rest }) => rest);

describe("loop stage", () => {
  it("carries models, β and rankings on; interrupted anywhere and resumed, it ends the same", async () => {
    await writeInputs(dir);
    const before = tf.memory().numTensors;
    const tables: string[] = [];
    const whole = await runLoop(dir, "whole", {
      reporter: { info: (text) => text.includes("candidate") && tables.push(text) },
    });
    expect(tf.memory().numTensors).toBe(before);
    const rows = await rounds(dir, "whole");
    expect(rows).toHaveLength(2);
    expect(rows[0]).toMatchObject({ inUseAccuracy: null, promoted: true, newRankings: 12 });
    expect(rows[1]!.poolRankings).toBeGreaterThan(rows[0]!.poolRankings);
    expect(rows[1]!.inUseAccuracy).not.toBeNull(); // judged again, on the larger held-out set
    expect(rows[1]!.promoted).toBe(rows[1]!.pValue! < 0.05);
    if (!rows[1]!.promoted) expect(rows[1]!.rewardModel).toBe(rows[0]!.rewardModel);
    expect(rows[0]!.klCoef).not.toBe(0.1); // adaptive, and the second round starts from there
    const second = await readFile(join(dir, "whole", "rounds", "0002", "ppo", "run.json"), "utf8");
    const { config } = JSON.parse(second) as { config: Record<string, unknown> };
    expect(config).toMatchObject({
      klCoef: rows[0]!.klCoef,
      policy: rows[0]!.policy,
      reference: join(dir, "sft"),
      rewardModel: rows[1]!.rewardModel,
    });
    expect(tables).toHaveLength(2);
    const stops: ((progress: { stage: string; done: number }) => boolean)[] = [
      ({ stage }) => stage === "collect",
      ({ stage, done }) => stage === "reward" && done === 2,
      ({ stage, done }) => stage === "ppo" && done === 1,
    ];
    for (const [i, stop] of stops.entries()) {
      const controller = new AbortController();
      const { signal } = controller;
      const progress: StageReporter["progress"] = (each) => stop(each) && controller.abort();
      const name = `parts${i}`;
      await expect(runLoop(dir, name, { signal, reporter: { progress } })).rejects.toThrow(
        "[cancelled]",
      );
      const resumed = await runLoop(dir, name, { resume: true });
      expect(essence(await rounds(dir, name))).toEqual(essence(rows));
      expect(await weightsOf(resumed.modelDir!)).toEqual(await weightsOf(whole.modelDir!));
    }
  }, 120_000);

  it("goes on when a finished loop is resumed for more rounds", async () => {
    await writeInputs(dir);
    await runLoop(dir, "run", { config: { rounds: 1 } });
    const { metrics } = await runLoop(dir, "run", { config: { rounds: 2 }, resume: true });
    expect(metrics["rounds"]).toBe(2);
    const again = await runLoop(dir, "run", { config: { rounds: 2 }, resume: true });
    expect(again.metrics).toEqual(metrics);
  }, 60_000);

  it("waits for people: tells where the answers are, takes rankings from the inbox, stops cleanly", async () => {
    await writeInputs(dir);
    const config = loopSchema.parse({
      policy: join(dir, "sft"),
      prompts: [join(dir, "prompts.jsonl")],
      ppoConfig: join(dir, "ppo.yaml"),
      rewardConfig: join(dir, "reward.yaml"),
      ...{ promptsPerRound: 8, samplesPerPrompt: 2, maxNewTokens: 4, rounds: 1 },
      ...{ minRankings: 6, minHeldOutPairs: 0, pollMs: 10, threads: 1 },
    });
    const start = (resume: boolean, signal: AbortSignal, info: (text: string) => void) =>
      createLoopStage().run(config, {
        ...{ runDir: join(dir, "run"), resume, signal },
        reporter: silentReporter({ info }),
      });
    const impatient = new AbortController();
    const waiting = (text: string) => text.includes("0 of 6") && impatient.abort();
    await expect(start(false, impatient.signal, waiting)).rejects.toThrow("[cancelled]");
    const person = async (text: string) => {
      const [, answers, inbox] = /rank the answers in (\S+), .* in (\S+)$/.exec(text) ?? [];
      if (answers === undefined) return;
      const rankings = (await readAnswers(answers)).flatMap((set) => ranker(set, 1) ?? []);
      await writeRankings(join(inbox!, "mine.jsonl"), rankings);
    };
    const told: Promise<void>[] = [];
    const signal = new AbortController().signal;
    const { metrics } = await start(true, signal, (text) => told.push(person(text)));
    await Promise.all(told);
    expect(metrics).toMatchObject({ rounds: 1, promotions: 1 });
    expect((await rounds(dir, "run"))[0]).toMatchObject({ newRankings: 8 });
  }, 60_000);

  it("learns from the feedback service: puts answers up, waits while it is away, reads on next round", async () => {
    await writeInputs(dir);
    await using database = await openStore({ template: await pgliteTemplate() });
    const serve = async (port: number) => {
      const server = createRpcServer({ port });
      createFeedbackService({ database }).register(server);
      return { server, port: (await server.start()).port };
    };
    const first = await serve(0);
    await first.server.drain(0);
    const config = loopSchema.parse({
      policy: join(dir, "sft"),
      prompts: [join(dir, "prompts.jsonl")],
      ppoConfig: join(dir, "ppo.yaml"),
      rewardConfig: join(dir, "reward.yaml"),
      ...{ promptsPerRound: 6, samplesPerPrompt: 2, maxNewTokens: 4, rounds: 2 },
      ...{ minRankings: 5, minRankedShare: 0.5, minHeldOutPairs: 0, pollMs: 10, threads: 1 },
      ...{ ranker: "feedback", feedbackAddress: `127.0.0.1:${first.port}` },
    });
    let later: Promise<{ server: RpcServer }> | undefined;
    const told: Promise<void>[] = [];
    const person = async () => {
      await using client = createRpcClient(feedback.FeedbackServiceClient, config.feedbackAddress);
      const page = { includeRanked: false, pageSize: 0, pageToken: "", rater: "ann" };
      const { comparisons } = await client.listComparisons(page);
      for (const { comparisonId, answers } of comparisons.slice(0, 5)) {
        const prompt = [{ role: "user" as const, content: "" }];
        const { ranks } = ranker({ id: comparisonId, prompt, answers }, 1)!;
        await client.submitRanking({
          feedbackId: comparisonId,
          comparisonId,
          origin: { rater: "ann", kind: "", modelVersion: "" },
          ranking: { prompt: undefined, answers: [], ranks, criteria: [] },
        });
      }
    };
    await createLoopStage().run(config, {
      ...{ runDir: join(dir, "run"), resume: false, signal: new AbortController().signal },
      reporter: silentReporter({
        warn(text) {
          if (text.includes("no feedback service")) later ??= serve(first.port);
        },
        info(text) {
          if (text.includes("service: 0 of 5 new ones")) told.push(person());
        },
      }),
    });
    await Promise.all(told);
    {
      await using client = createRpcClient(feedback.FeedbackServiceClient, config.feedbackAddress);
      const { numOpen, numWithdrawn } = await client.getQueueStatus({ batch: "" });
      // One of six was not ranked in each round; nobody is asked about either round any more.
      expect({ numOpen, numWithdrawn }).toEqual({ numOpen: 0, numWithdrawn: 12 });
    }
    await (await later)?.server.drain(0);
    expect(later).toBeDefined(); // it was away at first
    // Its operators see what a loop does that runs elsewhere, and what its rounds gave.
    const loop = loopName(join(dir, "run"));
    const reports = await database.db.selectFrom("loops").select(["name", "body"]).execute();
    const state = feedback.LoopState[feedback.LoopState.IDLE];
    expect(reports).toMatchObject([{ name: loop, body: { text: "Round 2 is done." } }]);
    expect(JSON.stringify(reports[0]!.body)).toContain(state);
    const seen = await database.db.selectFrom("loop_rounds").select(["loop", "round"]).execute();
    expect(seen).toEqual([1, 2].map((round) => ({ loop, round })));
    expect((await rounds(dir, "run")).map(({ newRankings }) => newRankings)).toEqual([5, 5]);
    const used: Ranking[] = [];
    const files = ["0001", "0002"].map((n) => join(dir, "run", "rounds", n, "rankings.jsonl"));
    for await (const ranking of readRankings(files)) used.push(ranking);
    expect(new Set(used.map(({ id }) => id)).size).toBe(10);
    expect(used[0]).toMatchObject({
      rater: "ann",
      answers: [expect.any(String), expect.any(String)],
    });
  }, 60_000);

  it("runs no PPO on a reward model without a judgement, unless told to; --resume goes on", async () => {
    await writeInputs(dir);
    let updates = 0;
    const start = (minHeldOutPairs: number, resume: boolean) =>
      runLoop(dir, "run", {
        config: { rounds: 1, minHeldOutPairs },
        resume,
        reporter: { progress: ({ stage }) => void (updates += stage === "ppo" ? 1 : 0) },
      });
    await expect(start(1000, false)).rejects.toThrow(/no PPO: .* minHeldOutPairs asks for 1000/);
    expect(updates).toBe(0);
    const { metrics } = await start(1, true);
    expect(metrics["rounds"]).toBe(1);
    expect(updates).toBeGreaterThan(0);
  });

  it("says what is missing when there is neither a ranking nor a reward model", async () => {
    await writeInputs(dir);
    const stage = createLoopStage({ ranker: () => undefined });
    const config = loopSchema.parse({
      policy: join(dir, "sft"),
      prompts: [join(dir, "prompts.jsonl")],
      promptsPerRound: 2,
      maxNewTokens: 2,
    });
    const signal = new AbortController().signal;
    const context = { runDir: join(dir, "run"), resume: false, signal, reporter: silentReporter() };
    await expect(stage.run(config, context)).rejects.toThrow("give rewardModel or rankings");
  });
});

const ranking = (content: string, ranks = [1, 2]): Ranking => ({
  prompt: [{ role: "user", content }],
  answers: ["x", "y"],
  ranks,
});

describe("openInbox()", () => {
  it("waits for enough, leaves broken files aside until they change, takes no file twice", async () => {
    const folder = join(dir, "inbox");
    const warnings: string[] = [];
    const controller = new AbortController();
    const reporter = silentReporter({ warn: (text) => warnings.push(text) });
    const three = (found: readonly Ranking[]) => (found.length < 3 ? [{ text: "more" }] : []);
    const options = { pollMs: 10, signal: controller.signal, reporter };
    const inbox = await openInbox(folder, { records: readRankings, consumed: new Set(), reporter });
    const waiting = waitForRankings(inbox, three, options);
    let arrived = false;
    void waiting.then(() => (arrived = true));
    await writeRankings(join(folder, "a.jsonl"), [ranking("1"), ranking("2")]);
    await writeFile(join(folder, "b.jsonl"), '{"prompt": [{"role": "us');
    while (warnings.length === 0) await delay(5);
    expect(warnings[0]).toContain("b.jsonl");
    expect(arrived).toBe(false); // two good rankings are not three
    await writeRankings(join(folder, "b.jsonl"), [ranking("3")]);
    expect(await waiting).toHaveLength(3);
    const next = await openInbox(folder, {
      records: readRankings,
      consumed: new Set(inbox.files()),
      reporter,
    });
    const again = waitForRankings(next, three, options);
    controller.abort();
    await expect(again).rejects.toThrow("[cancelled]");
  });
});

describe("rankingGoal()", () => {
  const sets = Array.from({ length: 10 }, (_, i) => ({
    ...{ id: `p${i}`, prompt: ranking(`prompt ${i}`).prompt, answers: ["x", "y"] },
  }));
  const first = (count: number, rater = "ann") =>
    sets.slice(0, count).map(({ prompt, answers }) => ({ prompt, answers, ranks: [1, 2], rater }));
  const goal = (change: object, isTimeUp = false, earlier: Ranking[] = []) => {
    const missing = rankingGoal({
      config: loopSchema.parse({ policy: "p", prompts: ["q"], minHeldOutPairs: 0, ...change }),
      ...{ sets, before: { rankings: earlier, judges: [] }, isTimeUp: () => isTimeUp },
    });
    return (rankings: readonly Ranking[]) => missing(rankings).map(({ text }) => text);
  };

  it("does not close a round on its first ranking", () => {
    expect(goal({})(first(1))).toEqual(["1 of 8 prompts ranked (there are 10)"]);
    expect(goal({})(first(8))).toEqual([]);
  });

  it("waits for a count; a rater's second word and a revised earlier one are none", () => {
    const count = goal({ minRankings: 9, minRankedShare: 0 }, false, first(1, "old"));
    expect(count([...first(8), ...first(8), ...first(1, "old")])).toEqual(["8 of 9 new ones"]);
    expect(count([...first(8), ...first(1, "bob")])).toEqual([]);
  });

  it("goes on with fewer when the time is up, but never without held-out pairs", () => {
    expect(goal({ minRankings: 9 }, true)(first(1))).toEqual([]);
    const judged = goal({ minHeldOutPairs: 3, heldOutFraction: 0.5 }, true);
    expect(judged([])).toEqual(["0 of 3 held-out pairs to judge reward models by"]);
    expect(judged(first(10))).toEqual([]);
  });

  it("says what to do when all is ranked and the held-out pairs are still too few", () => {
    const lacks = goal({ minHeldOutPairs: 99 })(first(10));
    expect(lacks.at(-1)).toContain("--resume with a smaller --min-held-out-pairs");
  });
});

describe("gatherPool()", () => {
  it("keeps a prompt on one side for good, and rankings given as judges out of training", async () => {
    const many = Array.from({ length: 40 }, (_, i) => ranking(`prompt ${i}`));
    await writeRankings(join(dir, "first.jsonl"), many);
    await writeRankings(
      join(dir, "second.jsonl"),
      many.map(({ prompt, answers }) => ({ prompt, answers, ranks: [2, 1] })),
    );
    await writeRankings(join(dir, "judges.jsonl"), [ranking("prompt 0")]);
    const config = loopSchema.parse({
      policy: "p",
      prompts: ["q"],
      rankings: [join(dir, "first.jsonl")],
      heldOutRankings: [join(dir, "judges.jsonl")],
      heldOutFraction: 0.3,
    });
    const keys = (list: Ranking[]) => new Set(list.map(({ prompt }) => prompt[0]!.content));
    const one = await gatherPool(config, []);
    const two = await gatherPool(config, [join(dir, "second.jsonl"), join(dir, "first.jsonl")]);
    expect(keys(two.train)).toEqual(keys(one.train));
    expect(keys(two.heldOut)).toEqual(keys(one.heldOut));
    expect([...keys(two.train)].filter((key) => keys(two.heldOut).has(key))).toEqual([]);
    expect(keys(one.train).has("prompt 0")).toBe(false);
    expect(two.train).toHaveLength(2 * one.train.length); // first.jsonl, given twice, counts once
  });
});

describe("gatherPool() of a rater who thought again", () => {
  it("takes the last word, also when it came in a later round", async () => {
    const word = (rater: string, ranks: number[]) => ({ ...ranking("a prompt", ranks), rater });
    const files = ["first.jsonl", "second.jsonl"].map((name) => join(dir, name));
    await writeRankings(files[0]!, [word("ann", [1, 2]), word("bob", [1, 2])]);
    await writeRankings(files[1]!, [word("ann", [2, 1])]);
    const config = loopSchema.parse({ policy: "p", prompts: ["q"] });
    const { train, heldOut } = await gatherPool(config, files);
    const words = [...train, ...heldOut].map(({ rater, ranks }) => [rater, ranks]);
    expect(words).toEqual([
      ["ann", [2, 1]],
      ["bob", [1, 2]],
    ]);
  });
});

describe("gatherPool() and the reward stage", () => {
  it("leave the stage prompts to hold out for choosing its weights", async () => {
    const many = Array.from({ length: 80 }, (_, i) => ranking(`prompt ${i}`));
    await writeRankings(join(dir, "many.jsonl"), many);
    const files = { rankings: [join(dir, "many.jsonl")], heldOutFraction: 0.3 };
    const config = loopSchema.parse({ policy: "p", prompts: ["q"], ...files });
    const { train } = await gatherPool(config, []);
    const inner = holdOut(train, 0.2, ({ prompt }) => JSON.stringify(prompt));
    expect(inner.validation.length).toBeGreaterThan(3);
  });
});

describe("compareRewardModels()", () => {
  const judged = (agreed: Record<string, number>, accuracy = 0.7) => ({
    accuracy,
    numPairs: 100,
    agreed: new Map(Object.entries(agreed)),
  });
  it("counts prompts and not pairs: six pairs of one prompt are one case", () => {
    const before = judged({ a: 0, b: 3, c: 1 });
    expect(compareRewardModels(judged({ a: 6, b: 3, c: 1 }), before)).toEqual({
      ...{ wins: 1, trials: 1, p: 0.5 },
    });
  });

  it("is not impressed by a higher accuracy that a few prompts make", () => {
    const prompts = ["a", "b", "c", "d"];
    const all = (count: number) => judged(Object.fromEntries(prompts.map((r) => [r, count])));
    expect(compareRewardModels(all(2), all(1)).p).toBe(1 / 16);
  });

  it("says accuracies, n, p and what follows", () => {
    const inUse = judged({ a: 0 }, 0.612);
    const scope = { number: 2, config: loopSchema.parse({ policy: "p", prompts: ["q"] }) };
    const test = { wins: 9, trials: 12, p: 0.0729 };
    const text = promotionText(scope, {
      ...{ judged: judged({ a: 1 }, 0.714), inUse, test, promoted: false },
    });
    for (const part of ["71.4 % of 100", "61.2 %", "of 12 prompts", "on 9", "p = 0.073 ≥ 0.05"]) {
      expect(text).toContain(part);
    }
    expect(text).toContain("the one in use stays");
  });
});

describe("roundTable()", () => {
  it("shows a promoted candidate with a star and what there is not as a dash", () => {
    const row: LoopRound = {
      ...{ round: 1, answers: 48, newRankings: 12, poolRankings: 9, heldOutPairs: 17 },
      ...{ inUseAccuracy: null, candidateAccuracy: 0.714, promoted: true, newDemonstrations: 0 },
      ...{ wins: null, trials: null, pValue: null, reference: "p" },
      ...{ score: 0.5, evalScore: null, kl: 1.25, klCoef: 0.1 },
      ...{ policy: "p", rewardModel: "r", elapsedMs: 61_000 },
    };
    const line = roundTable([row]).split("\n").at(-1)!;
    expect(line).toContain("9 (+12)");
    expect(line).toContain("71.4 % *");
    expect(line.match(/–/g)).toHaveLength(3);
    const nothing = roundTable([{ ...row, score: null, kl: null }])
      .split("\n")
      .at(-1)!;
    expect(nothing.match(/–/g)).toHaveLength(5);
  });
});
