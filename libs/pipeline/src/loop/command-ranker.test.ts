import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { initEngine } from "@stagecraft/tensor";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { rounds, runLoop, writeInputs } from "../../test/loop-kit.js";
import { rankByCommand } from "./command-ranker.js";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "stagecraft-command-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const { signal } = new AbortController();
const sets = ["one", "two"].map((id) => ({
  id,
  prompt: [{ role: "user" as const, content: id }],
  answers: ["x", "yy"],
}));

/** A program that gets each set as `set` and writes what the expression makes of it. */
async function program(expression: string, end = ""): Promise<string> {
  const file = join(dir, "rank.mjs");
  const read = `import { readFileSync } from "node:fs";
const sets = readFileSync(0, "utf8").trim().split("\\n").map((line) => JSON.parse(line));
for (const set of sets) { const out = ${expression}; if (out !== undefined) console.log(out); }
${end}`;
  await writeFile(file, read);
  return `"${process.execPath}" "${file}"`;
}

describe("rankByCommand()", () => {
  it("takes what a program writes; what it leaves out is not ranked", async () => {
    const command = await program(
      `set.id === "two" ? undefined : JSON.stringify({ ...set, ranks: [2, 1], rater: "it" })`,
    );
    expect(await rankByCommand(command, sets, signal)).toEqual([
      { ...sets[0], ranks: [2, 1], rater: "it" },
    ]);
  });

  const bad: [what: string, expression: string, says: RegExp][] = [
    ["no JSON", `"hello"`, /^\[invalid_argument\] line 1 of what .* is not JSON: "hello"/],
    ["bad ranks", `JSON.stringify({ ...set, ranks: [0, 1] })`, /line 1 .*"ranks" must be whole/],
    [
      "answers of its own",
      `JSON.stringify({ ...set, answers: ["a", "b"], ranks: [1, 2] })`,
      /line 1 .*nobody asked about these answers/,
    ],
  ];
  for (const [what, expression, says] of bad) {
    it(`names the line of ${what}`, async () => {
      await expect(rankByCommand(await program(expression), sets, signal)).rejects.toThrow(says);
    });
  }

  it("tells how a program ended and what it said", async () => {
    const failing = await program("undefined", `console.error("no key"); process.exit(3);`);
    const ranked = rankByCommand(failing, sets, signal);
    await expect(ranked).rejects.toThrow(
      /ended with exit code 3 and said: no key; nothing .* lost/,
    );
    const missing = rankByCommand(join(dir, "nothing-here"), sets, signal);
    await expect(missing).rejects.toThrow("[failed_precondition]");
  });

  it("ends the program when the loop is stopped", async () => {
    const stop = new AbortController();
    const endless = rankByCommand(
      `"${process.execPath}" -e "setInterval(() => 0, 1000)"`,
      sets,
      stop.signal,
    );
    stop.abort();
    await expect(endless).rejects.toThrow("[cancelled]");
  });
});

describe("a loop whose ranker is a program", () => {
  it("ends the round with the reason, loses nothing, and goes on when the program is mended", async () => {
    await initEngine({ numThreads: 1 });
    await writeInputs(dir);
    let collected = 0;
    const start = (rankCommand: string, resume: boolean) =>
      runLoop(dir, "run", {
        ...{ dependencies: {}, resume },
        config: { ranker: "command", rankCommand, rounds: 1 },
        reporter: { progress: ({ stage }) => void (collected += stage === "collect" ? 1 : 0) },
      });
    const broken = start(await program("undefined", "process.exit(1);"), false);
    await expect(broken).rejects.toThrow("ended with exit code 1");
    const once = collected;
    const ranks = "set.answers.map((a) => 1 + (a.length % 2))";
    await start(await program(`JSON.stringify({ ...set, ranks: ${ranks} })`), true);
    expect(collected).toBe(once);
    expect((await rounds(dir, "run"))[0]).toMatchObject({ newRankings: 12 });
  });
});
