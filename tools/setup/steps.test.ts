import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createSteps, together } from "./steps.mjs";

describe("createSteps()", () => {
  let logDir: string;
  beforeEach(() => {
    logDir = mkdtempSync(join(tmpdir(), "stagecraft-steps-"));
  });
  afterEach(() => rmSync(logDir, { recursive: true, force: true }));

  function steps({ isTTY = false } = {}) {
    const out = Object.assign(new PassThrough(), { isTTY });
    const made = createSteps({ logDir, out: out as unknown as NodeJS.WriteStream });
    return { ...made, printed: () => String(out.read() ?? "") };
  }

  it("keeps a successful command's output in its log and prints one line", async () => {
    const { command, printed } = steps();
    await command("say hello", [process.execPath, "-e", "console.log('hello')"]);
    expect(printed()).toMatch(/^ {2}✔ say hello {2}\d+\.\ds\n$/);
    expect(readFileSync(join(logDir, "say-hello.log"), "utf8")).toBe("hello\n");
  });

  it("fails with the command, its exit code and its whole output", async () => {
    const { command, printed } = steps();
    const failing = command("break", [
      process.execPath,
      "-e",
      "console.error('why'); process.exit(3)",
    ]);
    await expect(failing).rejects.toThrow(/exit code 3\n\nwhy\n\nLog: .*break\.log/);
    expect(printed()).toMatch(/✘ break/);
  });

  it("keeps the lines of steps that run beside each other apart, on a terminal too", async () => {
    const { run, note, printed } = steps({ isTTY: true });
    let end!: () => void;
    const long = run("long", () => new Promise<void>((resolve) => (end = resolve)));
    await run("short", () => undefined);
    note("by the way");
    end();
    await long;
    const screen = printed()
      .split("\n")
      .map((line) => line.split("\x1b[2K").at(-1));
    expect(screen).toEqual([
      expect.stringMatching(/^ {2}✔ short {2}\d+\.\ds$/),
      "  · by the way",
      expect.stringMatching(/^ {2}✔ long {2}\d+\.\ds$/),
      "",
    ]);
  });

  it("says which program cannot be run", async () => {
    await expect(steps().command("x", ["/no/such/program"])).rejects.toThrow(
      "cannot run /no/such/program",
    );
  });
});

describe("together()", () => {
  it("leaves nothing at work behind a failure", async () => {
    const log: string[] = [];
    let end!: () => void;
    const slow = new Promise<void>((resolve) => (end = resolve)).then(() => log.push("slow"));
    const all = together(Promise.reject(new Error("no")), slow).catch((error: Error) =>
      log.push(error.message),
    );
    await new Promise((resolve) => setImmediate(resolve));
    end();
    await all;
    expect(log).toEqual(["slow", "no"]);
  });
});
