import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { readRankings, writeJsonl, type Ranking } from "@stagecraft/data";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runCli } from "../src/app/run-cli.js";

let dir: string;
let answers: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "stagecraft-rank-"));
  answers = join(dir, "answers.jsonl");
  const sets = ["one", "two", "three"].map((id) => ({
    id,
    prompt: [{ role: "user", content: `Count ${id}` }],
    answers: [`${id} a`, `${id} b`, `${id} c`],
  }));
  await writeJsonl(answers, sets);
});
afterEach(() => rm(dir, { recursive: true, force: true }));

/** What a person types, line by line, through a pipe. */
async function type(text: string, ...flags: string[]) {
  const [out, err, input] = [new PassThrough(), new PassThrough(), new PassThrough()];
  input.end(text);
  const io = { out, err, input, isTerminal: false, isInteractive: false, columns: () => 100 };
  const code = await runCli(["rank", answers, ...flags], io);
  return { code, out: String(out.read() ?? ""), err: String(err.read() ?? "") };
}

async function rankings(file = join(dir, "rankings.jsonl")): Promise<Ranking[]> {
  const found: Ranking[] = [];
  for await (const ranking of readRankings(file)) found.push(ranking);
  return found;
}

/** The answers of each prompt as they were shown, best rank first by what was typed. */
const shownIn = (err: string) => [...err.matchAll(/^\[\d\] (.*)$/gm)].map(([, answer]) => answer!);

describe("stagecraft rank", () => {
  it("stores the ranks as they were typed against the answers as they were shown, ties too", async () => {
    const { code, out, err } = await type("2 1 1\n312\n123\n");
    expect([code, code === 0 ? "" : err]).toEqual([0, ""]);
    expect(out).toContain("3 of 3 prompts ranked");
    const shown = shownIn(err);
    const typed = [2, 1, 1, 3, 1, 2, 1, 2, 3];
    const stored = await rankings();
    expect(stored.map(({ id, rater }) => [id, rater])).toEqual([
      ["one", "me"],
      ["two", "me"],
      ["three", "me"],
    ]);
    for (const [i, answer] of shown.entries()) {
      const ranking = stored[Math.floor(i / 3)]!;
      expect(ranking.ranks[ranking.answers.indexOf(answer)]).toBe(typed[i]);
    }
  });

  it("leaves and keeps with q, and goes on there; skipped ones come again", async () => {
    await type("s\n123\nq\n");
    expect((await rankings()).map(({ id }) => id)).toEqual(["two"]);
    const { out, err } = await type("123\n");
    expect(err).toContain("Count one");
    expect(out).toContain("2 of 3 prompts ranked");
    expect(out).toContain("1 are left");
    expect((await rankings()).map(({ id }) => id)).toEqual(["two", "one"]);
  });

  it("undoes with u, an earlier session's last ranking too, and nobody else's", async () => {
    await type("123\n", "--rater", "ann");
    await type("123\nq\n");
    await type("u\nu\n321\n");
    const stored = await rankings();
    expect(stored.map(({ id, rater }) => [id, rater])).toEqual([
      ["one", "ann"],
      ["one", "me"],
    ]);
  });

  it("says what to type when it was something else, and stores nothing of it", async () => {
    const { err } = await type("12\n1239\n014\n124\nhello\n123\n");
    expect(err.match(/type 3 digits from 1 \(best\) to 3/g)).toHaveLength(5);
    expect(await rankings()).toHaveLength(1);
  });

  it("writes where it is told to, and refuses a file without answers to rank", async () => {
    const inbox = join(dir, "inbox", "me.jsonl");
    await type("123\n", "--out", inbox);
    expect(await rankings(inbox)).toHaveLength(1);
    await writeJsonl(answers, [
      { id: "x", prompt: [{ role: "user", content: "?" }], answers: ["a"] },
    ]);
    const { code, err } = await type("1\n");
    expect(code).toBe(1);
    expect(err).toContain("no prompt with answers to rank");
  });
});
