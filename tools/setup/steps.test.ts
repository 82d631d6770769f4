import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createSteps } from "./steps.mjs";

describe("createSteps()", () => {
  let logDir: string;
  beforeEach(() => {
    logDir = mkdtempSync(join(tmpdir(), "stagecraft-steps-"));
  });
  afterEach(() => rmSync(logDir, { recursive: true, force: true }));

  function steps() {
    const out = new PassThrough() as PassThrough & { isTTY: boolean };
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

  it("says which program cannot be run", async () => {
    await expect(steps().command("x", ["/no/such/program"])).rejects.toThrow(
      "cannot run /no/such/program",
    );
  });
});
