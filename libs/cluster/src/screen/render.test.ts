import { describe, expect, it } from "vitest";
import type { ClusterStatus, ProcessStatus } from "../status/types.js";
import { eventText, renderStatus } from "./render.js";
import { outcomeText, statusLine } from "./views.js";

function processOf(name: string, more: Partial<ProcessStatus> = {}): ProcessStatus {
  const service = name.replace(/-\d+$/, "") as ProcessStatus["service"];
  const ports = { port: 1, metricsPort: 2 };
  const life = { restarts: 0, startedAtMs: 0, answers: true, lastExit: "" };
  return { name, service, state: "up", pid: 100, ...ports, ...life, ...more };
}

function statusOf(processes: ProcessStatus[]): ClusterStatus {
  return {
    dir: "/x/cluster",
    deployment: "main",
    startedAtMs: 0,
    nowMs: 65_000,
    addresses: {
      ...{ nats: "", trainer: "", policy: "", rewardModel: "", pages: "http://127.0.0.1:8080/" },
      ...{ policies: [], rewardModels: [], rollouts: [] },
    },
    models: { policy: "p", reward: "r", further: [] },
    runsDir: "runs",
    engine: { engine: "auto", threads: 0 },
    processes,
    traffic: {
      ...{ promptsWaiting: 3, promptsInWork: 4, rolloutsWaiting: 0, rolloutsHeld: 7 },
      ...{ deadLetters: 1, rolloutsPerSecond: 12.34 },
    },
    training: {
      ...{ runId: "r1", runDir: "runs/r1", stage: "ppo", state: "running", unit: "steps" },
      ...{ done: 5, total: 20, step: 5, score: 0.5, kl: 1.25, staleness: 0 },
    },
    events: [],
  };
}

// eslint-disable-next-line no-control-regex
const bare = (lines: string[]) => lines.map((line) => line.replace(/\x1b\[[0-9;]*m/g, ""));
const WIDE = { columns: 200, rows: 50 };

describe("renderStatus()", () => {
  it("shows processes, queues and the run", () => {
    const policy = processOf("policy-1", { weightVersion: 5, numActive: 3, busyShare: 0.5 });
    const text = bare(renderStatus(statusOf([processOf("nats"), policy]), WIDE)).join("\n");
    expect(text).toContain("cluster main  up 1m 05s");
    expect(text).toMatch(/policy-1 +up +100 +0 +– +50% +weights 5, 3 sequences/);
    expect(text).toContain("12 rollouts/s");
    expect(text).toContain("prompts 3 waiting, 4 in work; rollouts 0 waiting, 7 held");
    expect(text).toMatch(/ppo r1 +running +5\/20 steps/);
    expect(text).toContain("reward 0.500  KL 1.25  staleness 0.00");
  });

  it("counts many workers in one line and shows those in trouble", () => {
    const workers = Array.from({ length: 16 }, (_, i) =>
      processOf(`rollout-${i + 1}`, { numInFlight: 2, numCompleted: 10 }),
    );
    workers[6] = processOf("rollout-7", { state: "waiting", restarts: 3, lastExit: "SIGKILL" });
    const lines = bare(renderStatus(statusOf(workers), WIDE)).filter((l) => l.includes("rollout"));
    expect(lines[0]).toMatch(/^rollout ×16 +15 up +3 .*30 in work, 150 done$/);
    expect(lines[1]).toMatch(/^rollout-7 +down +.*SIGKILL$/);
    expect(lines.filter((line) => line.startsWith("rollout-"))).toHaveLength(1);
  });

  it("tells a process that runs and does not answer", () => {
    const lines = bare(renderStatus(statusOf([processOf("trainer", { answers: false })]), WIDE));
    expect(lines.find((line) => line.startsWith("trainer"))).toMatch(/^trainer +silent/);
  });

  it("tells who is drained, and who does not serve and why", () => {
    const workers = Array.from({ length: 6 }, (_, i) =>
      processOf(`rollout-${i + 1}`, { isDrained: i === 4 }),
    );
    const problem = "the broker has lost stream PROMPTS_main";
    const status = statusOf([processOf("trainer", { problem }), ...workers]);
    const lines = bare(renderStatus(status, WIDE));
    expect(lines.find((line) => line.startsWith("trainer"))).toMatch(
      /^trainer +not serving .* {2}the broker has lost stream PROMPTS_main$/,
    );
    expect(lines.find((line) => line.startsWith("rollout ×6"))).toMatch(/5 up/);
    expect(lines.find((line) => line.startsWith("rollout-5"))).toMatch(/drained/);
    expect(statusLine(status)).toContain("5/7 up");
  });

  it("fits the terminal", () => {
    const lines = renderStatus(statusOf([processOf("nats")]), { columns: 20, rows: 5 });
    expect(lines).toHaveLength(5);
    for (const line of bare(lines)) expect(line.length).toBeLessThanOrEqual(20);
  });
});

describe("statusLine()", () => {
  it("is one line with everything that matters", () => {
    const down = processOf("rollout-1", { state: "waiting" });
    expect(statusLine(statusOf([processOf("nats"), down]))).toBe(
      "1/2 up  ppo r1 running 5/20 reward 0.500 KL 1.25 staleness 0.00  12.30 rollouts/s  " +
        "prompts 3+4  rollouts 0+7  dead letters 1",
    );
  });
});

describe("outcomeText()", () => {
  it("names whoever had to be killed", () => {
    const drained = { how: "drained", exit: "exit code 0", durationMs: 5 } as const;
    const killed = { name: "trainer", how: "killed", exit: "SIGKILL", durationMs: 30_000 } as const;
    expect(outcomeText([{ name: "a", ...drained }, { name: "b", ...drained }, killed])).toBe(
      "stopped: 2 drained, 1 killed\n  trainer did not end within 30000 ms",
    );
  });
});

describe("eventText()", () => {
  it("has time, process and text", () => {
    const time = new Date(2026, 0, 1, 3, 4, 5).toISOString();
    const [text] = bare([eventText({ time, level: "warn", process: "nats", text: "ended" })]);
    expect(text).toBe("03:04:05  nats  ended");
  });
});
