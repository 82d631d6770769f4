import { describe, expect, it } from "vitest";
import {
  linesOfDocuments,
  linesOfHelp,
  linesOfText,
  type DocumentedLine,
} from "./documented/lines.js";
import { problemOf } from "./documented/problem-of.js";

async function problemsOf(lines: readonly DocumentedLine[]): Promise<string[]> {
  const problems: string[] = [];
  for (const line of new Map(lines.map((each) => [each.text, each])).values()) {
    const problem = await problemOf(line);
    if (problem !== "") problems.push(`${line.where}: ${line.text}: ${problem}`);
  }
  return problems;
}

describe("command lines", () => {
  it("of the documents are right as the commands are now", async () => {
    const lines = linesOfDocuments();
    expect(await problemsOf(lines)).toEqual([]);
    expect(lines.length).toBeGreaterThan(80);
  });

  it("of every --help are right as the commands are now", async () => {
    const lines = await linesOfHelp();
    expect(await problemsOf(lines)).toEqual([]);
    expect(lines.length).toBeGreaterThan(40);
  });

  it("are found in blocks, indented, and within sentences that wrap", () => {
    const text =
      "Do `npm run a --\nb` or:\n\n```sh\nnpx stagecraft c \\\n  --d # e\nls | x\n```\n\n    node f.mjs > g\n";
    expect(linesOfText(text, "").map((line) => line.text)).toEqual([
      "npm run a -- b",
      "npx stagecraft c --d",
      "node f.mjs",
    ]);
  });

  for (const text of [
    "npm run no-such-script",
    "npm run test:faults --list",
    "npm run test:faults -- --nonsense",
    "npm run up -- --nonsense",
    "npx stagecraft no-such-command",
    "npx stagecraft info",
    "npx stagecraft info x --nonsense",
    "npx stagecraft sft --model a --data b --epochs many --run c",
    "npx stagecraft pretrain --corpus examples/no-such.txt --run c",
    "node tools/no-such.mjs",
    "node services/policy/dist/main.js --model-dir a --nonsense b",
  ]) {
    it(`that are wrong are seen: ${text}`, async () => {
      expect(await problemOf({ where: "", text, isMention: false })).not.toBe("");
    });
  }
});
