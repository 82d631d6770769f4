import { ERROR_CODES } from "@stagecraft/core";
import { describe, expect, it } from "vitest";
import { createRetryThrottle, DEFAULT_RETRY, retryDelayMs, shouldRetry } from "./retry.js";

const facts = {
  code: "unavailable" as const,
  idempotent: true,
  attempt: 1,
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
    const policy = { maxAttempts: 9, initialBackoffMs: 100, maxBackoffMs: 500 };
    const bounds = [1, 2, 3, 4, 5].map((attempt) => retryDelayMs(attempt, policy, 1));
    expect(bounds).toEqual([100, 200, 400, 500, 500]);
    expect(retryDelayMs(3, policy, 0)).toBe(0);
  });
});
