import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createRandom, type Random } from "@stagecraft/core";
import type { Ranking } from "@stagecraft/data";
import { createRpcServer } from "@stagecraft/rpc";
import { silentReporter } from "@stagecraft/runs";
import { createFeedbackService, openPeopleServer, openStore } from "@stagecraft/service-gateway";
import { pgliteTemplate, signInByLink, tempDir, type PagesClient } from "@stagecraft/testing";
import { bayesPairAccuracy, LABELERS } from "@stagecraft/world";
import { describe, expect, it } from "vitest";
import { DEFAULT_LIMITS } from "../../src/demo/claims.js";
import { judgeStage } from "../../src/demo/judge-stage.js";
import { demoPipeline } from "../../src/demo/presets.js";
import { worldOf } from "../../src/demo/world-fields.js";
import { spawnCli } from "../cases/case-kit.js";

/** A finished demo: its SFT model is what is taught, its figures are what its labelers gave from files. */
const DEMO = process.env["STAGECRAFT_DEMO"] ?? join("runs", "demo");
const world = { worldSize: "demo", worldSeed: 1 } as const;
const RATING_MS = 30 * 60_000;

const file = (name: string) => join(DEMO, "world", "world", name);
const configOf = (stage: string) =>
  demoPipeline({ preset: "default", seed: 1, out: DEMO }).stages[stage]!.config!;

describe.skipIf(!existsSync(join(DEMO, "demo.json")))(
  "the demo's labelers at the pages (needs `npm run demo`, or STAGECRAFT_DEMO=DIR)",
  () => {
    it(
      "reach by HTTP, several at once, the bars that they reach from files",
      async () => {
        await using dir = await tempDir();
        const { loopDir, rankings } = await teach(dir.path);
        const [row] = await jsonl<Round>(join(loopDir, "loop.jsonl"));
        const best = bayesPairAccuracy(rankings).expected;
        const own = {
          rankings: rankings.length,
          best,
          accuracy: row!.candidateAccuracy,
          ...(await judge(dir.path, row!)),
        };
        sideBySide(own, await figuresOfDemo());
        expect(best - own.accuracy).toBeLessThanOrEqual(DEFAULT_LIMITS.rewardGap);
        expect(own.ppoGold - own.sftGold).toBeGreaterThanOrEqual(DEFAULT_LIMITS.goldGain);
        expect(own.winRate).toBeGreaterThanOrEqual(DEFAULT_LIMITS.winRate!);
      },
      RATING_MS,
    );
  },
);

/** Of loop.jsonl. */
interface Round {
  policy: string;
  rewardModel: string;
  candidateAccuracy: number;
}

/** One round of `stagecraft loop` that learns from raters at the pages. */
async function teach(dir: string) {
  await using database = await openStore({
    dir: join(dir, "gateway"),
    template: await pgliteTemplate(),
  });
  const defaults = { ratersPerComparison: 1, goldShare: 0 };
  const rpc = createRpcServer();
  createFeedbackService({ database, defaults }).register(rpc);
  const { port } = await rpc.start();
  const { server, signInLink } = await openPeopleServer({ database, defaults });
  const loopDir = join(dir, "loop");
  const loop = spawnCli([...(await loopArguments(dir, port)), "--run", loopDir]);
  try {
    let isOver = false;
    const over = loop.done.finally(() => (isOver = true));
    await loop.waitFor("waiting for rankings");
    const raters = await inviteRaters(signInLink!);
    const random = createRandom("simulated raters");
    const kinds = await kindsOf(file("prompts-train.jsonl"));
    const rated = await Promise.all(
      raters.map((rater) => rankAll(rater, { random, kinds, isOver: () => isOver })),
    );
    const { code } = await over;
    expect(code).toBe(0);
    return { loopDir, rankings: rated.flat() };
  } finally {
    loop.kill("SIGTERM");
    await server.close();
    await rpc.drain(0);
  }
}

async function loopArguments(dir: string, port: number): Promise<string[]> {
  const [collect, reward, ppo] = [configOf("collect"), configOf("reward"), configOf("ppo")];
  const { epochs, batchSize, learningRate } = reward;
  const { updates, promptsPerUpdate } = ppo;
  const settings = {
    reward: { epochs, batchSize, learningRate },
    ppo: { updates, promptsPerUpdate, learningRate: ppo["learningRate"] },
  };
  for (const [name, value] of Object.entries(settings)) {
    await writeFile(join(dir, `${name}.yaml`), JSON.stringify(value)); // JSON is YAML
  }
  const flags = {
    policy: join(DEMO, "sft", "model"),
    prompts: file("prompts-train.jsonl"),
    "eval-prompts": file("prompts-heldout.jsonl"),
    ranker: "feedback",
    "feedback-address": `127.0.0.1:${port}`,
    "prompts-per-round": collect["limit"],
    "samples-per-prompt": collect["samplesPerPrompt"],
    temperature: collect["temperature"],
    "max-new-tokens": collect["maxNewTokens"],
    "kl-coef": ppo["klCoef"],
    "min-ranked-share": 1,
    "held-out-fraction": configOf("labelers")["heldOutShare"],
    "reward-config": join(dir, "reward.yaml"),
    "ppo-config": join(dir, "ppo.yaml"),
    rounds: 1,
    seed: 1,
  };
  return [
    "loop",
    ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)]),
  ];
}

async function inviteRaters(link: string): Promise<PagesClient[]> {
  const operator = await signInByLink(link);
  return Promise.all(
    LABELERS.map(async (name) => {
      const person = { name, roles: ["rater"] };
      const invited = await operator.ok<{ link: string }>("POST", "/api/people/invite", person);
      return signInByLink(invited.link);
    }),
  );
}

interface Next {
  assignment: {
    assignmentId: string;
    request: { role: "user"; content: string }[];
    answers: string[];
  } | null;
}

/** Ranks what comes, by the rubric seen through noise, until the loop has what it waits for. */
async function rankAll(
  rater: PagesClient,
  given: { random: Random; kinds: ReadonlyMap<string, string>; isOver(): boolean },
): Promise<Ranking[]> {
  const { rate } = worldOf(world);
  const rankings: Ranking[] = [];
  while (!given.isOver()) {
    const { assignment } = await rater.ok<Next>("POST", "/api/rank/next");
    if (!assignment) break; // all that there is has been given to somebody
    const { assignmentId: id, request: messages, answers } = assignment;
    const kind = given.kinds.get(JSON.stringify(messages))!;
    const ranking = rate({ id, messages, kind }, answers, given.random.fork(id));
    const { ranks } = ranking;
    const body = { submissionId: crypto.randomUUID(), ranks, criteria: {}, elapsedMs: 1000 };
    await rater.ok("POST", `/api/rank/assignments/${id}/submit`, body);
    rankings.push(ranking);
  }
  return rankings;
}

async function kindsOf(path: string): Promise<Map<string, string>> {
  const requests = await jsonl<{ messages: object[]; kind: string }>(path);
  return new Map(requests.map(({ messages, kind }) => [JSON.stringify(messages), kind]));
}

async function jsonl<T>(path: string): Promise<T[]> {
  const lines = (await readFile(path, "utf8")).trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as T);
}

/** What the noise-free rubric says of SFT model and policy on held-out requests. */
async function judge(dir: string, { policy, rewardModel }: Round) {
  const config = judgeStage.schema.parse({
    ...configOf("judge"),
    models: [`sft=${join(DEMO, "sft", "model")}`, `ppo=${policy}`],
    prompts: [file("prompts-heldout.jsonl")],
    rewardModel,
  }) as Parameters<typeof judgeStage.run>[0];
  const context = { resume: false, signal: new AbortController().signal };
  const { metrics } = await judgeStage.run(config, {
    ...{ ...context, runDir: join(dir, "judge"), reporter: silentReporter() },
  });
  return judged(metrics as Record<string, number>);
}

const judged = (metrics: Readonly<Record<string, number>>) => ({
  sftGold: metrics["sft.gold"]!,
  ppoGold: metrics["ppo.gold"]!,
  winRate: metrics["ppo.winRate.sft.gold"]!,
});

async function figuresOfDemo() {
  const { stages } = JSON.parse(await readFile(join(DEMO, "demo.json"), "utf8")) as {
    stages: Record<string, { result: { metrics: Record<string, number> } }>;
  };
  const of = (stage: string) => stages[stage]!.result.metrics;
  const { rankings, bestAccuracy: best } = of("labelers");
  return {
    ...{ rankings: rankings!, best: best!, accuracy: of("reward")["accuracy"]! },
    ...judged(of("judge")),
  };
}

type Figures = Awaited<ReturnType<typeof figuresOfDemo>>;

const NAMES: Readonly<Record<keyof Figures, string>> = {
  rankings: "rankings",
  best: "best possible pair accuracy",
  accuracy: "the reward model's",
  sftGold: "SFT gold score",
  ppoGold: "PPO gold score",
  winRate: "PPO win rate against SFT",
};

function sideBySide(pages: Figures, files: Figures): void {
  const lines = Object.entries(NAMES).map(([key, name]) => {
    const cell = (figures: Figures) =>
      String(+figures[key as keyof Figures].toFixed(4)).padStart(8);
    return `${name.padEnd(28)} ${cell(pages)} ${cell(files)}`;
  });
  const head = `${"".padEnd(28)} ${"pages".padStart(8)} ${"files".padStart(8)}`;
  process.stdout.write(`${[head, ...lines].join("\n")}\n`);
}
