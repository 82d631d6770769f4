import { ERROR_CODES, StagecraftError } from "@stagecraft/core";
import { describe, expect, it } from "vitest";
import {
  createRetryThrottle,
  DEFAULT_RETRY,
  progressOf,
  retryDelayMs,
  shouldRetry,
  unsentDelayMs,
} from "./retry.js";

const facts = {
  code: "unavailable" as const,
  progress: "sent" as const,
  idempotent: true,
  attempt: 1,
  elapsedMs: 0,
  started: false,
  policy: DEFAULT_RETRY,
};

describe("shouldRetry()", () => {
  it("repeats UNAVAILABLE only", () => {
    const throttle = createRetryThrottle();
    const repeated = ERROR_CODES.filter((code) => shouldRetry({ ...facts, throttle, code }));
    expect(repeated).toEqual(["unavailable"]);
  });

  it("stops at the last attempt, for what is not idempotent, and once a stream has begun", () => {
    const throttle = createRetryThrottle();
    expect(shouldRetry({ ...facts, throttle, attempt: 3 })).toBe(true);
    expect(shouldRetry({ ...facts, throttle, attempt: 4 })).toBe(false);
    expect(shouldRetry({ ...facts, throttle, idempotent: false })).toBe(false);
    expect(shouldRetry({ ...facts, throttle, started: true })).toBe(false);
  });

  it("repeats what no server began, whatever its attempts, for a while", () => {
    const throttle = createRetryThrottle();
    const many = { ...facts, throttle, attempt: 99 };
    for (const [change, expected] of [
      [{ progress: "refused" }, true],
      [{ progress: "refused", idempotent: false }, true],
      [{ progress: "refused", code: "internal" }, true],
      [{ progress: "refused", elapsedMs: 5000 }, false],
      [{ progress: "refused", started: true }, false],
      [{ progress: "refused", policy: { ...DEFAULT_RETRY, maxAttempts: 1 } }, false],
      [{ progress: "unconnected" }, true],
      [{ progress: "unconnected", idempotent: false }, false],
      [{ progress: "unconnected", elapsedMs: 5000 }, false],
    ] as const) {
      expect(shouldRetry({ ...many, ...change }), JSON.stringify(change)).toBe(expected);
    }
  });

  it("stops when most calls fail and resumes when they succeed again", () => {
    const throttle = createRetryThrottle({ maxTokens: 10, tokenRatio: 0.5 });
    for (let i = 0; i < 5; i++) throttle.failed();
    expect(shouldRetry({ ...facts, throttle })).toBe(false);
    throttle.succeeded();
    expect(shouldRetry({ ...facts, throttle })).toBe(true);
  });
});

describe("retryDelayMs()", () => {
  it("doubles its bound up to the cap, with full jitter", () => {
    const policy = { ...DEFAULT_RETRY, maxAttempts: 9, maxBackoffMs: 500 };
    const bounds = [1, 2, 3, 4, 5].map((attempt) => retryDelayMs(attempt, policy, 1));
    expect(bounds).toEqual([100, 200, 400, 500, 500]);
    expect(retryDelayMs(3, policy, 0)).toBe(0);
  });
});

describe("unsentDelayMs()", () => {
  it("is nothing at first, then doubles up to its cap", () => {
    expect([1, 2, 3, 4, 20].map((n) => unsentDelayMs(n, 1))).toEqual([0, 10, 20, 40, 250]);
  });
});

describe("progressOf()", () => {
  it("takes nothing for unsent that a handler may have said", () => {
    const metadata = (entries: object) => ({ getMap: () => entries });
    const refused = { details: "Stream refused by server", metadata: metadata({}) };
    for (const [cause, expected] of [
      [refused, "refused"],
      [{ ...refused, metadata: metadata({ "stagecraft-details-bin": "{}" }) }, "sent"],
      [{ details: "Failed to start HTTP/2 stream with error x" }, "refused"],
      [{ details: "round_robin: No connection established. Last error: x" }, "unconnected"],
      [{ details: "Connection dropped" }, "sent"],
      [undefined, "sent"],
    ] as const) {
      expect(progressOf(new StagecraftError("unavailable", "x", { cause }))).toBe(expected);
    }
  });
});
