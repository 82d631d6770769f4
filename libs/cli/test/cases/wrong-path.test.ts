import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { runCli } from "../../src/app/run-cli.js";
import { PassThrough } from "node:stream";
import { openWorkshop, writeRecords, example } from "./case-kit.js";

/** The command line, in this process: every path is refused before any work. */
async function run(argv: string[]) {
  const [out, err] = [new PassThrough(), new PassThrough()];
  const io = { out, err, input: new PassThrough(), isTerminal: false, isInteractive: false };
  const code = await runCli(argv, { ...io, columns: () => 100 });
  return { code, err: String(err.read() ?? "") };
}

describe("a file where a directory is meant", () => {
  const commands = [
    "info FILE",
    "info FILE/x",
    "chat FILE --prompt x",
    "runs list FILE",
    "runs show FILE",
    "inspect DIR",
    "sft --model FILE --data DATA --run DIR/sft",
    "sft --model DIR --data DATA --run FILE",
    "pretrain --corpus FILE --run FILE/x",
    "pretrain --corpus DIR --run DIR/pretrain",
    "tokenizer --corpus DIR --run DIR/tokenizer",
    "collect --model FILE --prompts DATA --run DIR/collect",
    "reward --model FILE --data DATA --run DIR/reward",
    "dpo --model DIR --data FILE/x --run DIR/dpo",
    "evaluate --models a=FILE --prompts DATA --run DIR/evaluate",
    "loop --policy FILE --prompts DATA --run DIR/loop",
    "ppo --policy FILE --reward-model FILE --prompts DATA --run DIR/ppo",
    "pipeline run DIR",
    "demo --preset tiny --out FILE",
    "demo --preset tiny --out FILE/x",
  ];
  for (const command of commands) {
    it(`\`${command}\` says in words what is wrong`, async () => {
      await using workshop = await openWorkshop();
      await mkdir(workshop.path("dir"));
      const paths = {
        FILE: await workshop.write("README.md", "words"),
        DATA: await writeRecords(workshop, "data.jsonl", [example("Q", "A")]),
        DIR: workshop.path("dir"),
      };
      const args = command.replace(/FILE|DATA|DIR/g, (name) => paths[name as keyof typeof paths]);
      const { code, err } = await run(args.split(" "));
      expect(code).toBeGreaterThan(0);
      expect(err).not.toMatch(/\[internal\]|\bE[A-Z]{4,}\b/);
      expect(err).toContain(join(workshop.dir, "")); // names the path
    });
  }
});
