import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  fromErrorRecord,
  isCancelled,
  StagecraftError,
  throwIfAborted,
  toErrorRecord,
  type ErrorRecord,
} from "./errors.js";

describe("StagecraftError", () => {
  it("starts its message with the code and keeps the bare reason", () => {
    const error = new StagecraftError("not_found", "no file a.txt", { details: { file: "a.txt" } });
    expect(error.message).toBe("[not_found] no file a.txt");
    expect(error.reason).toBe("no file a.txt");
    expect(error.details).toEqual({ file: "a.txt" });
  });

  it("passes itself through from() and maps Node's error codes", () => {
    const error = new StagecraftError("aborted", "x");
    expect(StagecraftError.from(error)).toBe(error);
    const full = Object.assign(new Error("no space left"), { code: "ENOSPC" });
    expect(StagecraftError.from(full).code).toBe("resource_exhausted");
    expect(StagecraftError.from("text").code).toBe("internal");
  });

  it("says what the file system refused in words, never as ENOTDIR", async () => {
    const dir = await mkdtemp(join(tmpdir(), "stagecraft-errors-"));
    const file = join(dir, "a.txt");
    await writeFile(file, "");
    const tries: [work: () => Promise<unknown>, code: string, says: string][] = [
      [() => readdir(file), "invalid_argument", `${file} is a file; a directory is needed here`],
      [() => mkdir(file, { recursive: true }), "already_exists", `${file} is a file; a directory`],
      [() => readFile(join(file, "x")), "invalid_argument", "a part of this path is a file"],
      [() => readFile(dir), "invalid_argument", "is a directory; a file is needed here"],
      [() => readFile(join(dir, "none")), "not_found", `there is no ${join(dir, "none")}`],
      [() => writeFile(join(dir, "x".repeat(300)), ""), "invalid_argument", "the name is too long"],
    ];
    for (const [work, code, says] of tries) {
      const error = StagecraftError.from(await work().catch((thrown: unknown) => thrown));
      expect(error.message).toMatch(/^\[[a-z_]+\] (?!E[A-Z]+:)/);
      expect(error.code).toBe(code);
      expect(error.reason).toContain(says);
    }
    await rm(dir, { recursive: true });
  });

  it("is the same error after a file or a message, without its cause", () => {
    const details = { field: "steps", line: 3 };
    const error = new StagecraftError("invalid_argument", "too few", { details, cause: "secret" });
    const record = JSON.parse(JSON.stringify(toErrorRecord(error))) as ErrorRecord;
    expect(record).toEqual({ code: "invalid_argument", message: "too few", details });
    expect(fromErrorRecord(record)).toMatchObject({ message: error.message, details });
  });

  it("knows want of memory, V8's and the native engine's, by code and not by its text", () => {
    const native = Object.assign(new Error("matMul: out of memory"), {
      code: "ERR_STAGECRAFT_MEMORY",
    });
    for (const thrown of [native, new RangeError("Array buffer allocation failed")]) {
      const { code, details } = StagecraftError.from(thrown);
      expect([code, details]).toEqual(["resource_exhausted", { resource: "memory" }]);
    }
    expect(StagecraftError.from(new Error("out of memory")).details).toEqual({});
  });

  it("recognises cancellation", () => {
    const controller = new AbortController();
    expect(() => throwIfAborted(controller.signal)).not.toThrow();
    controller.abort();
    expect(() => throwIfAborted(controller.signal)).toThrow("[cancelled]");
    expect(isCancelled(controller.signal.reason)).toBe(true);
    expect(isCancelled(new Error("other"))).toBe(false);
  });
});
