import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runCli, spawnCli, type CliResult } from "./spawn-cli.js";
import { openWorkshop, type Workshop } from "./tiny-model.js";

/** A minute on a quiet machine; four times that on a busy one is still no failure. */
const DEMO_TIMEOUT_MS = 300_000;

let workshop: Workshop;
let out: string;
let result: CliResult;
beforeAll(async () => {
  workshop = await openWorkshop();
  out = workshop.path("demo");
  result = await runCli(["demo", "--preset", "tiny", "--check", "--out", out]);
}, DEMO_TIMEOUT_MS);
afterAll(() => workshop[Symbol.asyncDispose]());

describe("stagecraft demo --preset tiny", () => {
  it("shows the directions it should: SFT over base, reward model, PPO over SFT", () => {
    expect(result.out).not.toContain("✘");
    expect(result.out.match(/✔/g)).toHaveLength(8);
    expect(result.code).toBe(0);
  });

  it("prints stages, a comparison by kind, and answers side by side", () => {
    for (const text of ["pretrain ", "held-out prompts", "PPO gold", "translation: ", "  SFT   "]) {
      expect(result.out).toContain(text);
    }
  });

  it("writes demo.json for machines and a self-contained report.html for people", async () => {
    const json = JSON.parse(await readFile(join(out, "demo.json"), "utf8")) as {
      claims: { passed: boolean }[];
      stages: Record<string, { durationMs: number }>;
      report: { comparison: { kinds: { count?: number }[]; overall: { count: number } } };
    };
    const { kinds, overall } = json.report.comparison; // the report's column "Prompts"
    expect(kinds.reduce((sum, { count = 0 }) => sum + count, 0)).toBe(overall.count);
    expect(overall.count).toBe(84);
    expect(json.claims.every(({ passed }) => passed)).toBe(true);
    expect(Object.keys(json.stages)).toEqual([
      ...["world", "tokenizer", "pretrain", "sft", "collect", "labelers", "reward", "ppo", "judge"],
    ]);
    const html = await readFile(join(out, "report.html"), "utf8");
    expect(html).toContain("What came of it");
    expect(html).toContain("default-src &#39;none&#39;");
    expect(html).not.toMatch(/<(link|img)\b|\ssrc=/);
  });

  it("leaves a directory alone that is no demo's", async () => {
    await workshop.write("precious.txt", "mine");
    const { code, err } = await runCli(["demo", "--preset", "tiny", "--out", workshop.dir]);
    expect(code).toBe(1);
    expect(err).toContain("[failed_precondition]");
    expect(await readFile(workshop.path("precious.txt"), "utf8")).toBe("mine");
  });
});

describe("a second demo", () => {
  const again = (...flags: string[]) => ["demo", "--preset", "tiny", "--out", out, ...flags];
  const weights = () => readFile(join(out, "ppo", "model", "model.safetensors"));

  it("shows the finished one: table, report, what to do next; nothing is trained", async () => {
    await workshop.write("demo/notes.txt", "mine");
    const { code, out: shown, err } = await runCli(again());
    expect(code).toBe(0);
    expect(err.match(/finished already, skipped/g)).toHaveLength(9);
    for (const text of [
      "held-out prompts",
      "Finished already (20",
      `npx stagecraft chat ${join(out, "ppo", "model")}`,
      "report.html",
    ]) {
      expect(shown).toContain(text);
    }
    expect(await readFile(join(out, "notes.txt"), "utf8")).toBe("mine");
  });

  it(
    "after Ctrl-C goes on and reaches the weights of an uninterrupted one",
    async () => {
      const whole = await weights();
      const first = spawnCli(again("--rerun", "ppo", "--json"));
      await first.waitFor('"stage":"ppo","done":6,');
      first.kill("SIGINT");
      const stopped = await first.done;
      expect(stopped.code).toBe(130);
      expect(stopped.out).toContain(
        "the same command again, without --rerun, goes on where it was",
      );
      const second = await runCli(again("--json"));
      expect(second.code).toBe(0);
      expect(second.err + second.out).toContain("resumed at update");
      expect((await weights()).equals(whole)).toBe(true);
    },
    DEMO_TIMEOUT_MS,
  );

  it("with another seed is refused and names --fresh", async () => {
    const { code, err } = await runCli(again("--seed", "2"));
    expect(code).toBe(1);
    expect(err).toMatch(/\[failed_precondition\] .*--preset tiny --seed 1, not .*--fresh/);
  });
});

describe("what the README does with the demo's model", () => {
  it("chats, keeping the conversation", async () => {
    const chat = spawnCli(["chat", join(out, "ppo", "model"), "--temperature", "0"]);
    chat.type("Who are you?\n/reset\nWho are you?\n/exit\nnever asked\n");
    const { code, out: answers } = await chat.done;
    expect(code).toBe(0);
    const [first, second, ...rest] = answers.trimEnd().split("\n");
    expect(first!.length).toBeGreaterThan(0);
    expect([second, rest]).toEqual([first, []]);
  });

  it("answers as JSON", async () => {
    const args = ["chat", join(out, "ppo", "model"), "--prompt", "Who are you?", "--json"];
    const { code, out: line } = await runCli(args);
    expect(code).toBe(0);
    expect(JSON.parse(line)).toMatchObject({
      question: "Who are you?",
      answer: expect.any(String),
    });
  });

  it("describes it", async () => {
    const { code, out: text } = await runCli(["info", join(out, "ppo", "model")]);
    expect(code).toBe(0);
    expect(text).toMatch(/architecture +llama, 2 layers of 64/);
    const json = await runCli(["info", join(out, "reward", "model"), "--json"]);
    expect(JSON.parse(json.out)).toMatchObject({ heads: ["score"], tokenizer: { kind: "bpe" } });
  });

  it("lists its runs and shows one", async () => {
    const list = await runCli(["runs", "list", out]);
    expect(list.code).toBe(0);
    expect(list.out.trimEnd().split("\n")).toHaveLength(9);
    expect(list.out).toMatch(/succeeded +pretrain/);
    const show = await runCli(["runs", "show", join(out, "sft"), "--json"]);
    expect(JSON.parse(show.out)).toMatchObject({ stage: "sft", state: "succeeded", attempts: 1 });
  });
});
