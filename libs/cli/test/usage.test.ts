import { describe, expect, it } from "vitest";
import { PassThrough } from "node:stream";
import { runCli as run } from "../src/app/run-cli.js";

/** Runs a command line in this process; what it prints is collected. */
async function runCli(argv: string[]) {
  const [out, err] = [new PassThrough(), new PassThrough()];
  const io = { out, err, input: new PassThrough(), isTerminal: false, isInteractive: false };
  const code = await run(argv, { ...io, columns: () => 100 });
  return { code, out: String(out.read() ?? ""), err: String(err.read() ?? "") };
}

const COMMANDS = [
  "tokenizer",
  "pretrain",
  "sft",
  "collect",
  "reward",
  "ppo",
  "evaluate",
  "chat",
  "pipeline",
  "export",
  "runs",
  "info",
  "demo",
  "check",
];

describe("stagecraft --help", () => {
  it("lists every command and the exit codes", async () => {
    const { code, out } = await runCli(["--help"]);
    expect(code).toBe(0);
    for (const command of COMMANDS) expect(out).toMatch(new RegExp(`^ {2}${command}\\b`, "m"));
    expect(out).toContain("130  stopped by Ctrl-C");
  });

  for (const command of COMMANDS) {
    it(`shows examples for ${command}`, async () => {
      const { code, out, err } = await runCli([command, "--help"]);
      expect([code, err]).toEqual([0, ""]);
      expect(out).toContain(`Usage: stagecraft ${command}`);
      expect(out).toMatch(new RegExp(`Examples:\\n {2}(npx stagecraft|npm run) ${command}`));
    });
  }
});

describe("wrong usage", () => {
  const cases: [args: string[], says: string][] = [
    [["prettrain"], "[invalid_argument] unknown command 'prettrain'"],
    [["pretrain", "--stepz", "3"], "unknown option '--stepz'"],
    [["pretrain", "--steps", "many", "--learning-rate", "-1"], "[invalid_argument]"],
    [["info"], "missing required argument 'model'"],
    [["pretrain", "--config", "/no/such.yaml"], "/no/such.yaml"],
    [["runs"], "Usage: stagecraft runs"],
  ];
  for (const [args, says] of cases) {
    it(`exits with 2 for \`${args.join(" ")}\``, async () => {
      const { code, err } = await runCli(args);
      expect(err).toContain(says);
      expect(code).toBe(2);
    });
  }

  it("names every problem of a configuration at once", async () => {
    const { err } = await runCli(["pretrain", "--steps", "many", "--learning-rate", "-1"]);
    for (const field of ["steps", "learningRate", "corpus"]) expect(err).toContain(field);
    expect(err).not.toContain("    at ");
  });
});
