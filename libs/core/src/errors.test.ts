import { describe, expect, it } from "vitest";
import { isCancelled, StagecraftError, throwIfAborted } from "./errors.js";

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

  it("recognises cancellation", () => {
    const controller = new AbortController();
    expect(() => throwIfAborted(controller.signal)).not.toThrow();
    controller.abort();
    expect(() => throwIfAborted(controller.signal)).toThrow("[cancelled]");
    expect(isCancelled(controller.signal.reason)).toBe(true);
    expect(isCancelled(new Error("other"))).toBe(false);
  });
});
