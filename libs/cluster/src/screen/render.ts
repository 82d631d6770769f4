import colors from "picocolors";
import { formatBytes, formatCount, formatDuration } from "@stagecraft/core";
import type { ClusterEvent } from "../options.js";
import type {
  ClusterStatus,
  ProcessStatus,
  TrafficStatus,
  TrainingStatus,
} from "../status/types.js";

const BAR_WIDTH = 24;
/** Workers are shown one by one up to here, and counted beyond. */
const MAX_ROLLOUT_ROWS = 4;
const COLUMNS = ["process", "state", "pid", "restarts", "memory", "busy", "doing"];
/** Numbers, which stand to the right. */
const NUMERIC: ReadonlySet<string> = new Set(["pid", "restarts", "memory", "busy"]);

export interface ScreenSize {
  columns: number;
  rows: number;
}

/** The status as lines for a terminal of that size, cut where it ends. */
export function renderStatus(status: ClusterStatus, { columns, rows }: ScreenSize): string[] {
  const head = [
    `${colors.bold(`cluster ${status.deployment}`)}  up ${formatDuration(status.nowMs - status.startedAtMs)}  ${colors.dim(status.dir)}`,
    ...(status.addresses.pages === "" ? [] : [`pages  ${status.addresses.pages}`]),
    "",
    ...processTable(status.processes),
    "",
    ...trafficLines(status.traffic),
    ...trainingLines(status.training),
  ];
  const room = Math.max(0, Math.min(8, rows - head.length - 2));
  const events = room < 2 ? [] : eventLines(status.events.slice(-(room - 1)));
  return [...head, ...events].slice(0, rows).map((line) => cut(line, columns));
}

function processTable(processes: readonly ProcessStatus[]): string[] {
  const order = ["nats", "trainer", "gateway", "policy", "reward-model"];
  const single = order.flatMap((service) => processes.filter((p) => p.service === service));
  const rollouts = processes.filter(({ service }) => service === "rollout");
  const rows = [...single.map(processRow), ...rolloutRows(rollouts)];
  const cells = [COLUMNS.map((name) => colors.dim(name)), ...rows];
  const widths = COLUMNS.map((_, i) => Math.max(...cells.map((row) => visibleLength(row[i]!))));
  const align = (cell: string, i: number) =>
    pad(cell, { width: widths[i]!, toRight: NUMERIC.has(COLUMNS[i]!) });
  return cells.map((row) => row.map(align).join("  ").trimEnd());
}

function processRow(status: ProcessStatus): string[] {
  const { name, pid, restarts, memoryBytes, busyShare } = status;
  return [
    name,
    stateText(status),
    pid === undefined ? "–" : String(pid),
    restarts === 0 ? "0" : colors.yellow(String(restarts)),
    memoryBytes === undefined ? "–" : formatBytes(memoryBytes),
    busyShare === undefined ? "–" : percent(busyShare),
    doing(status),
  ];
}

function rolloutRows(rollouts: readonly ProcessStatus[]): string[][] {
  if (rollouts.length <= MAX_ROLLOUT_ROWS) return rollouts.map(processRow);
  const troubled = rollouts.filter((status) => !isWorking(status));
  const sum = (of: (status: ProcessStatus) => number | undefined) =>
    rollouts.reduce((total, status) => total + (of(status) ?? 0), 0);
  const numUp = rollouts.length - troubled.length;
  const restarts = sum((status) => status.restarts);
  const all = [
    `rollout ×${rollouts.length}`,
    numUp === rollouts.length ? colors.green("up") : colors.yellow(`${numUp} up`),
    "",
    restarts === 0 ? "0" : colors.yellow(String(restarts)),
    formatBytes(sum((status) => status.memoryBytes)),
    "–",
    workText(
      sum((status) => status.numInFlight),
      sum((status) => status.numCompleted),
    ),
  ];
  return [all, ...troubled.slice(0, MAX_ROLLOUT_ROWS).map(processRow)];
}

/** Up, answering, and doing its work. */
export function isWorking({ state, answers, isDrained, problem }: ProcessStatus): boolean {
  return state === "up" && answers && isDrained !== true && problem === undefined;
}

function stateText({ state, answers, isDrained, problem }: ProcessStatus): string {
  if (state === "up" && isDrained) return colors.yellow("drained");
  if (state === "up" && problem !== undefined) return colors.red("not serving");
  if (state === "up") return answers ? colors.green("up") : colors.yellow("silent");
  if (state === "waiting") return colors.red("down");
  return colors.yellow(state);
}

function doing(status: ProcessStatus): string {
  const { service, weightVersion, numActive = 0, numQueued = 0, lastExit, state } = status;
  if (state === "waiting") return colors.red(lastExit);
  if (status.problem !== undefined) return colors.red(status.problem);
  if (service === "policy" && weightVersion !== undefined) {
    const queued = numQueued > 0 ? `, ${numQueued} queued` : "";
    return `weights ${weightVersion}, ${numActive} sequences${queued}`;
  }
  if (service === "rollout" && status.numCompleted !== undefined) {
    const trouble = status.numDead ? colors.red(`, ${status.numDead} given up`) : "";
    return workText(status.numInFlight ?? 0, status.numCompleted) + trouble;
  }
  return "";
}

function workText(inFlight: number, completed: number): string {
  return `${inFlight} in work, ${formatCount(completed)} done`;
}

function trafficLines(traffic: TrafficStatus | undefined): string[] {
  if (!traffic) return [colors.dim("the bus does not answer"), ""];
  const { promptsWaiting, promptsInWork, rolloutsWaiting, rolloutsHeld, deadLetters } = traffic;
  const rate = (value: number | undefined, unit: string) =>
    `${value === undefined ? "–" : formatCount(round(value))} ${unit}/s`;
  const dead = deadLetters === 0 ? "0" : colors.red(String(deadLetters));
  return [
    `speed   ${rate(traffic.rolloutsPerSecond, "rollouts")}, ${rate(traffic.tokensPerSecond, "tokens")}`,
    `queues  prompts ${promptsWaiting} waiting, ${promptsInWork} in work; ` +
      `rollouts ${rolloutsWaiting} waiting, ${rolloutsHeld} held by the trainer; dead letters ${dead}`,
  ];
}

function trainingLines(training: TrainingStatus | undefined): string[] {
  if (!training) return [`run     ${colors.dim("none yet")}`, ""];
  const { runId, stage, state, done, total, unit } = training;
  const bar = state === "running" && total > 0 ? `${progressBar(done / total)} ` : "";
  const counted = total > 0 ? `  ${done}/${total} ${unit}` : "";
  const figure = (name: string, value: number | undefined, digits: number) =>
    value === undefined ? [] : [`${name} ${value.toFixed(digits)}`];
  const figures = [
    ...figure("reward", training.score, 3),
    ...figure("KL", training.kl, 2),
    ...figure("staleness", training.staleness, 2),
    ...figure("held-out reward", training.evalScore, 3),
  ];
  return [
    `run     ${bar}${stage} ${runId}  ${stateOfRun(state)}${counted}`,
    ...(figures.length > 0 ? [`        ${figures.join("  ")}`] : []),
    ...(training.error === undefined ? [] : [colors.red(`        ${training.error}`)]),
    "",
  ];
}

function stateOfRun(state: string): string {
  if (state === "succeeded") return colors.green(state);
  return state === "failed" ? colors.red(state) : state;
}

function eventLines(events: readonly ClusterEvent[]): string[] {
  return events.length === 0
    ? []
    : [colors.dim("latest"), ...events.map((e) => `  ${eventText(e)}`)];
}

/** `03:12:10  policy-1  up on port 41234 after 1.9s`. */
export function eventText({ time, level, process, text }: ClusterEvent): string {
  const paint = level === "error" ? colors.red : level === "warn" ? colors.yellow : String;
  const who = process === "" ? "" : `${process}  `;
  return `${colors.dim(clock(time))}  ${who}${paint(text)}`;
}

function clock(time: string): string {
  return new Date(time).toTimeString().slice(0, 8);
}

function progressBar(fraction: number): string {
  const filled = Math.round(Math.min(1, fraction) * BAR_WIDTH);
  return colors.cyan("━".repeat(filled) + "─".repeat(BAR_WIDTH - filled));
}

function percent(share: number): string {
  return `${Math.round(100 * share)}%`;
}

function round(value: number): number {
  return value < 10 ? Math.round(10 * value) / 10 : Math.round(value);
}

// eslint-disable-next-line no-control-regex
const ESCAPE = /(\x1b\[[0-9;]*m)/;

/** Text and colour codes in turn, text first. */
function splitColours(text: string): string[] {
  return text.split(ESCAPE);
}

function visibleLength(text: string): number {
  return splitColours(text).reduce((sum, part, i) => sum + (i % 2 === 0 ? part.length : 0), 0);
}

function pad(text: string, { width, toRight }: { width: number; toRight: boolean }): string {
  const space = " ".repeat(Math.max(0, width - visibleLength(text)));
  return toRight ? space + text : text + space;
}

/** Cuts to a visible width and leaves no colour open. */
function cut(text: string, width: number): string {
  let room = width;
  return splitColours(text)
    .map((part, i) => {
      if (i % 2 === 1) return part;
      const shown = part.slice(0, Math.max(0, room));
      room -= part.length;
      return shown;
    })
    .join("");
}
