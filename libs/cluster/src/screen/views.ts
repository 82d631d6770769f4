import type { Writable } from "node:stream";
import { formatCount } from "@stagecraft/core";
import type { ClusterEvent } from "../options.js";
import type { ClusterStatus } from "../status/types.js";
import type { StopOutcome } from "../supervised-process.js";
import { openLiveScreen, type LiveScreen } from "./live-screen.js";
import { eventText, isWorking, renderStatus } from "./render.js";

/** How a running cluster is shown. */
export interface ClusterView {
  event(event: ClusterEvent): void;
  /** Called when all is up, then `everyMs` apart. */
  show(status: ClusterStatus): void;
  readonly everyMs: number;
  ended(outcomes: readonly StopOutcome[]): void;
  close(): void;
}

/** Where a cluster is shown: results go to `out`, everything else to `err`. */
export interface ClusterTerminal {
  readonly out: Writable;
  readonly err: Writable;
  /** True when `err` is a terminal that can redraw a line. */
  readonly isTerminal: boolean;
}

/** NDJSON for machines, the whole terminal for people, else a line now and then. */
export function createView(io: ClusterTerminal, json: boolean): ClusterView {
  if (json) return jsonView(io);
  return io.isTerminal ? liveView(io) : plainView(io);
}

const HINT =
  "Ctrl-C ends everything. Meanwhile elsewhere: npx stagecraft ppo --cluster …, npx stagecraft scale rollout 16";

function liveView({ out, err }: ClusterTerminal): ClusterView {
  let screen: LiveScreen | undefined;
  return {
    everyMs: 500,
    event: (event) => {
      if (!screen) err.write(`${eventText(event)}\n`);
    },
    show(status) {
      screen ??= openLiveScreen(err);
      const { rows, columns } = screen.size();
      const lines = renderStatus(status, { rows: rows - 2, columns });
      screen.draw([...lines, "", HINT.slice(0, columns)]);
    },
    ended: (outcomes) => void out.write(`${outcomeText(outcomes)}\n`),
    close: () => screen?.close(),
  };
}

function plainView({ out, err }: ClusterTerminal): ClusterView {
  return {
    everyMs: 10_000,
    event: (event) => void err.write(`${eventText(event)}\n`),
    show: (status) => void err.write(`${statusLine(status)}\n`),
    ended: (outcomes) => void out.write(`${outcomeText(outcomes)}\n`),
    close: () => undefined,
  };
}

function jsonView({ out }: ClusterTerminal): ClusterView {
  const write = (event: string, record: object) =>
    void out.write(`${JSON.stringify({ event, ...record })}\n`);
  return {
    everyMs: 2000,
    event: (event) => write("process", event),
    show: ({ events: _, ...status }) => write("status", status),
    ended: (ended) => write("result", { ended }),
    close: () => undefined,
  };
}

/** One line: processes up, run, figures, queues. */
export function statusLine({ processes, traffic, training }: ClusterStatus): string {
  const numUp = processes.filter(isWorking).length;
  const parts = [`${numUp}/${processes.length} up`];
  if (training) {
    const { stage, runId, state, done, total, score, kl, staleness } = training;
    const figures = [
      ...(score === undefined ? [] : [`reward ${score.toFixed(3)}`]),
      ...(kl === undefined ? [] : [`KL ${kl.toFixed(2)}`]),
      ...(staleness === undefined ? [] : [`staleness ${staleness.toFixed(2)}`]),
    ];
    parts.push([`${stage} ${runId} ${state} ${done}/${total}`, ...figures].join(" "));
  }
  if (traffic) {
    const { promptsWaiting, promptsInWork, rolloutsWaiting, rolloutsHeld, deadLetters } = traffic;
    parts.push(
      `${formatCount(Math.round(10 * (traffic.rolloutsPerSecond ?? 0)) / 10)} rollouts/s`,
      `prompts ${promptsWaiting}+${promptsInWork}`,
      `rollouts ${rolloutsWaiting}+${rolloutsHeld}`,
      ...(deadLetters > 0 ? [`dead letters ${deadLetters}`] : []),
    );
  }
  return parts.join("  ");
}

/** `stopped: 13 drained` and whoever did not. */
export function outcomeText(outcomes: readonly StopOutcome[]): string {
  const count = (how: StopOutcome["how"]) => outcomes.filter((each) => each.how === how).length;
  const parts = (["drained", "killed", "gone"] as const)
    .filter((how) => count(how) > 0)
    .map((how) => `${count(how)} ${how}`);
  const killed = outcomes.filter(({ how }) => how === "killed");
  const lines = killed.map(
    ({ name, durationMs }) => `  ${name} did not end within ${durationMs} ms`,
  );
  return [`stopped: ${parts.join(", ") || "nothing was running"}`, ...lines].join("\n");
}
