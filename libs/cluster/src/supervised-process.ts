import { setTimeout as delay } from "node:timers/promises";
import { StagecraftError } from "@stagecraft/core";
import type { ServiceName } from "./options.js";
import type { Ports } from "./ports.js";
import type { Probe } from "./probe.js";
import type { Invocation } from "./programs.js";
import { failuresInARow, restartDelayMs, type RestartPolicy } from "./restart-policy.js";
import { spawnChild, type Child, type Lifeline } from "./spawn-child.js";
import { lastLogLine } from "./log-tail.js";

export type ProcessState = "starting" | "up" | "waiting" | "stopping" | "ended";

/** What is known of a process. */
export interface ProcessInfo {
  readonly name: string;
  readonly service: ServiceName | "nats";
  readonly state: ProcessState;
  /** Undefined while there is none. */
  readonly pid: number | undefined;
  readonly port: number;
  readonly metricsPort: number;
  /** Starts after the first. */
  readonly restarts: number;
  readonly startedAtMs: number;
  /** False when it runs and its health has not answered for a while. */
  readonly answers: boolean;
  /** How it ended the last time; empty when it never did. */
  readonly lastExit: string;
}

export interface ProcessSpec {
  name: string;
  service: ServiceName | "nats";
  ports: Ports;
  /** Others after some that would not serve; undefined keeps them. */
  nextPorts?: () => Promise<Ports>;
  invocation(ports: Ports): Invocation;
  probe(port: number): Probe;
  lifeline: Lifeline;
  logFile: string;
  restart: RestartPolicy;
  /** Asked now and then while it serves: why it should be started again all the same. */
  restartReason?: () => Promise<string | undefined>;
  /** A process that serves is killed after so much silence of its health; default 60 s. */
  maxSilenceMs?: number;
  /** Between two questions for its health while it serves; default 2 s. */
  probeEveryMs?: number;
  onEvent(level: "info" | "warn" | "error", text: string): void;
  /** A process was started, or its port changed. */
  onStarted(): void;
}

export interface StopOutcome {
  name: string;
  /** `drained` within its grace, `killed` after it, or `gone` before anybody asked. */
  how: "drained" | "killed" | "gone";
  exit: string;
  durationMs: number;
}

const PROBE_START_MS = 100;
const PROBE_UP_MS = 2000;
/** As the liveness probes of the Kubernetes manifests: a minute. */
const MAX_SILENCE_MS = 60_000;
const PROBE_TIMEOUT_MS = 1500;
/** From SIGTERM to SIGKILL for a process that is to be started again, which may keep it from ending. */
const REPLACE_MS = 5000;
/** A process that fails so often before it ever served will not serve at all. */
const MAX_FAILED_STARTS = 3;

/** A process that is started again whenever it ends or hangs, until it is stopped. */
export interface SupervisedProcess {
  info(): ProcessInfo;
  /** Resolves when it serves; throws `failed_precondition` when it fails to start again and again. */
  untilUp(): Promise<void>;
  /** SIGTERM, then SIGKILL after the grace. Calling again joins the first. */
  stop(graceMs: number): Promise<StopOutcome>;
}

/** Starts at once. */
export function superviseProcess(spec: ProcessSpec): SupervisedProcess {
  return new Supervised(spec);
}

class Supervised implements SupervisedProcess {
  private state: ProcessState = "starting";
  private child: Child | undefined;
  private ports: Ports;
  private starts = 0;
  private startedAtMs = 0;
  private upAtMs: number | undefined;
  private everUp = false;
  private answers = true;
  private lastExit = "";
  private readonly stopped = new AbortController();
  private stopping: Promise<StopOutcome> | undefined;
  private readonly over: Promise<void>;
  private readonly up: Promise<void>;
  private tellUp!: (failure?: StagecraftError) => void;

  constructor(private readonly spec: ProcessSpec) {
    this.ports = spec.ports;
    this.up = new Promise((resolve, reject) => {
      this.tellUp = (failure) => (failure ? reject(failure) : resolve());
    });
    this.up.catch(() => undefined); // whoever waits for it hears of it
    this.over = this.keepRunning();
  }

  info(): ProcessInfo {
    const { state, ports, startedAtMs, answers, lastExit, child } = this;
    const { name, service } = this.spec;
    const restarts = Math.max(0, this.starts - 1);
    const pid = child?.pid;
    return { name, service, state, pid, ...ports, restarts, startedAtMs, answers, lastExit };
  }

  untilUp(): Promise<void> {
    return this.up;
  }

  stop(graceMs: number): Promise<StopOutcome> {
    return (this.stopping ??= this.end(graceMs));
  }

  private async end(graceMs: number): Promise<StopOutcome> {
    const startMs = performance.now();
    const { child } = this;
    this.state = "stopping";
    this.stopped.abort();
    this.tellUp(new StagecraftError("cancelled", `${this.spec.name} was stopped`));
    child?.kill("SIGTERM");
    const timer = new AbortController();
    const forced = await Promise.race([
      this.over.then(() => false),
      delay(graceMs, true, { signal: timer.signal }).catch(() => false),
    ]);
    timer.abort();
    if (forced) child?.kill("SIGKILL");
    await this.over;
    const how = forced ? "killed" : child ? "drained" : "gone";
    const durationMs = Math.round(performance.now() - startMs);
    return { name: this.spec.name, how, exit: this.lastExit, durationMs };
  }

  /** Runs the process again and again. */
  private async keepRunning(): Promise<void> {
    const { restart } = this.spec;
    let failures = 0;
    for (;;) {
      const servedMs = await this.runOnce();
      if (this.stopped.signal.aborted) break;
      failures = failuresInARow(failures, servedMs, restart);
      const waitMs = restartDelayMs(failures, restart);
      this.reportExit(failures, waitMs);
      if (!this.everUp && failures >= MAX_FAILED_STARTS) {
        this.tellUp(await this.startFailure());
        break;
      }
      this.state = "waiting";
      await delay(waitMs, undefined, { signal: this.stopped.signal }).catch(() => undefined);
      if (this.stopped.signal.aborted) break;
      if (servedMs === 0 && this.spec.nextPorts) this.ports = await this.spec.nextPorts();
    }
    this.state = "ended";
  }

  /** Resolves with how long it served when it has ended. */
  private async runOnce(): Promise<number> {
    const { spec, ports } = this;
    this.state = "starting";
    this.starts++;
    this.startedAtMs = Date.now();
    this.upAtMs = undefined;
    const child = spawnChild(spec.invocation(ports), spec);
    this.child = child;
    spec.onStarted();
    const ended = new AbortController();
    const watching = this.watch(child, spec.probe(ports.port), ended.signal);
    this.lastExit = await child.exited;
    this.child = undefined;
    ended.abort();
    await watching;
    return this.upAtMs === undefined ? 0 : performance.now() - this.upAtMs;
  }

  /** Asks for its health until it has ended, and ends it when it hangs. */
  private async watch(child: Child, probe: Probe, ended: AbortSignal): Promise<void> {
    const { restartReason, probeEveryMs = PROBE_UP_MS } = this.spec;
    let heardAtMs = performance.now();
    while (!ended.aborted) {
      const answered = await probe.ask(PROBE_TIMEOUT_MS);
      if (ended.aborted) break;
      if (answered && this.upAtMs === undefined) this.becomeUp();
      if (this.upAtMs !== undefined) this.answers = answered;
      if (answered) heardAtMs = performance.now();
      // What cannot be looked at (a folder that is gone) is no reason to start anything again.
      if (this.state === "up" && answered)
        this.replaceFor(child, await restartReason?.().catch(() => undefined));
      else if (this.state === "up") this.endSilent(child, performance.now() - heardAtMs);
      const waitMs = this.upAtMs === undefined ? PROBE_START_MS : probeEveryMs;
      await delay(waitMs, undefined, { signal: ended }).catch(() => undefined);
    }
    probe.close();
  }

  private replaceFor(child: Child, reason: string | undefined): void {
    if (reason === undefined) return;
    this.spec.onEvent("warn", `${reason}; starting it again`);
    child.kill("SIGTERM");
    setTimeout(() => child.kill("SIGKILL"), REPLACE_MS).unref();
  }

  private endSilent(child: Child, silentMs: number): void {
    const { maxSilenceMs = MAX_SILENCE_MS } = this.spec;
    if (silentMs < maxSilenceMs) return;
    const seconds = Math.round(silentMs / 1000);
    this.spec.onEvent("error", `has not answered for ${seconds}s; killing it`);
    child.kill("SIGKILL");
  }

  private becomeUp(): void {
    this.upAtMs = performance.now();
    this.answers = true;
    this.everUp = true;
    if (this.state === "starting") this.state = "up";
    const again = this.starts > 1 ? ` again (restart ${this.starts - 1})` : "";
    const took = ((Date.now() - this.startedAtMs) / 1000).toFixed(1);
    this.spec.onEvent("info", `up${again} on port ${this.ports.port} after ${took}s`);
    this.tellUp();
  }

  private reportExit(failures: number, waitMs: number): void {
    const { crashLoopAfter } = this.spec.restart;
    const ended = `ended: ${this.lastExit}`;
    if (failures < crashLoopAfter) {
      return this.spec.onEvent("warn", `${ended}; starting it again in ${waitMs} ms`);
    }
    this.spec.onEvent(
      "error",
      `crash loop: ended ${failures} times in a row (${this.lastExit}); next start in ${Math.round(waitMs / 1000)}s; see ${this.spec.logFile}`,
    );
  }

  private async startFailure(): Promise<StagecraftError> {
    const { name, logFile } = this.spec;
    const line = await lastLogLine(logFile);
    return new StagecraftError(
      "failed_precondition",
      `${name} does not start (${this.lastExit})${line === "" ? "" : `: ${line}`}; its log: ${logFile}`,
      { details: { process: name, logFile } },
    );
  }
}
