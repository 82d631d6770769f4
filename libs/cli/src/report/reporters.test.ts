import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { createBarReporter } from "./bar-reporter.js";
import { createJsonReporter } from "./json-reporter.js";
import { createPlainReporter } from "./plain-reporter.js";

function setUp() {
  const out = new PassThrough();
  const err = new PassThrough();
  const clock = { ms: 0 };
  return {
    io: { out, err, columns: () => 120 },
    clock,
    now: () => clock.ms,
    printed: () => [String(out.read() ?? ""), String(err.read() ?? "")],
  };
}
const at = (done: number) => ({ stage: "pretrain", done, total: 100, unit: "steps" as const });

describe("createPlainReporter()", () => {
  it("prints the first progress, then one line every five seconds, then the end, once", () => {
    const { io, clock, now, printed } = setUp();
    const reporter = createPlainReporter(io, now);
    for (let done = 0; done <= 100; done++) {
      clock.ms = done * 100;
      reporter.progress(at(done));
    }
    reporter.progress(at(100));
    expect(printed()).toEqual([
      "",
      [
        "pretrain  0/100 steps  0%\n",
        "pretrain  50/100 steps  50%  5.0s left\n",
        "pretrain  100/100 steps  100%\n",
      ].join(""),
    ]);
  });

  it("counts without a share or an end while the total is unknown", () => {
    const { io, now, printed } = setUp();
    const reporter = createPlainReporter(io, now);
    const progress = { stage: "tokenize", total: 0, unit: "characters" as const };
    reporter.progress({ ...progress, done: 2_500_000 });
    reporter.progress({ ...progress, done: 2_600_000 });
    expect(printed()[1]).toBe("tokenize  2.50M characters\n");
  });

  it("judges the time left by this process's own pace when a run resumes", () => {
    const { io, clock, now, printed } = setUp();
    const reporter = createPlainReporter(io, now);
    reporter.progress(at(80));
    clock.ms = 10_000;
    reporter.progress({ ...at(90), tokensPerSecond: 8100, note: "loss 1.93" });
    expect(printed()[1]).toContain("90%  8.10k tokens/s  10.0s left  loss 1.93\n");
  });
});

describe("createJsonReporter()", () => {
  it("writes one object a line, told apart by event", () => {
    const { io, printed } = setUp();
    const reporter = createJsonReporter(io);
    reporter.progress(at(1));
    reporter.warn("careful");
    reporter.result({ loss: 1 }, "not for machines");
    const [out, err] = printed();
    expect(
      out!
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual([
      { event: "progress", ...at(1) },
      { event: "warning", message: "careful" },
      { event: "result", loss: 1 },
    ]);
    expect(err).toBe("");
  });
});

describe("createBarReporter()", () => {
  it("redraws one line, at most ten times a second, and ends it when the stage is done", () => {
    const { io, clock, now, printed } = setUp();
    const reporter = createBarReporter(io, now);
    for (let done = 0; done <= 100; done++) {
      clock.ms = done * 10;
      reporter.progress(at(done));
    }
    const text = printed()[1]!;
    expect(text.split("\r").length - 1).toBe(11);
    expect(text).toMatch(/100\/100 steps {2}100%\n$/);
  });

  it("puts messages above the bar and results on stdout", () => {
    const { io, now, printed } = setUp();
    const reporter = createBarReporter(io, now);
    reporter.progress(at(10));
    reporter.info("saved");
    reporter.result({}, "done");
    const [out, err] = printed();
    expect(err).toContain("10%\r\x1b[2Ksaved\n");
    expect(err).toMatch(/10%\n$/);
    expect(out).toBe("done\n");
  });
});
