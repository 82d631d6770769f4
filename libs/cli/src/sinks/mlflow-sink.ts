import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { atomicWriteFile } from "@stagecraft/checkpoint";
import { StagecraftError, type JsonObject } from "@stagecraft/core";
import { readRunRecord } from "@stagecraft/runs";
import type { FollowedRun, MetricsSink, SinkKind } from "./metrics-sink.js";
import {
  ATTEMPTS,
  createMlflowClient,
  type MlflowClient,
  type MlflowPoint,
} from "./mlflow-client.js";
import { isWorthAnother, type Reaching } from "./reach.js";
import { scalarsOf } from "./scalars.js";

/** In the run directory: which run there is ours, and how much of it was sent. */
const NOTE_FILE = "mlflow.json";
const MAX_POINTS = 1000;
const MAX_PARAMS = 100;
const MAX_VALUE = 500;

interface Note {
  /** Without its password. */
  server: string;
  runId: string;
  /** Configuration and tags are there. */
  isDescribed?: boolean;
  /** Records that are there. */
  sent: number;
  /** A batch that was under way: whether it arrived is asked before it is sent again. */
  sending?: { to: number; timestamp: number };
}

export interface MlflowOptions extends Reaching {
  url: string;
  /** Default "stagecraft". */
  experiment?: string;
  /** For tests. */
  firstDelayMs?: number;
}

/**
 * Runs of an MLflow server. What was sent is noted in the run directory, so that a resumed run goes on
 * there. MLflow takes no point back: steps that a resumed run does again are not sent a second time.
 */
export function mlflowSink({
  url,
  experiment = "stagecraft",
  firstDelayMs = 250,
  ...reaching
}: MlflowOptions): SinkKind {
  const client = createMlflowClient(url, { firstDelayMs, ...reaching });
  const server = new URL(url).host;
  return {
    name: "MLflow",
    open: async (run) =>
      new MlflowSink(client, { run, server, experiment, firstDelayMs }, await noteOf(run, server)),
  };
}

interface About {
  run: FollowedRun;
  server: string;
  experiment: string;
  firstDelayMs: number;
}

class MlflowSink implements MetricsSink {
  constructor(
    private readonly client: MlflowClient,
    private readonly about: About,
    private note: Note | undefined,
  ) {}

  async bring(records: readonly JsonObject[]): Promise<void> {
    if (!this.note) await this.begin();
    if (!this.note!.isDescribed) await this.describe();
    if (this.note!.sending) await this.patiently(() => this.finishSending(records));
    while (this.note!.sent < records.length) {
      const to = batchEnd(records, this.note!.sent);
      await this.keep({ ...this.note!, sending: { to, timestamp: Date.now() } });
      await this.patiently(
        () => this.send(records),
        () => this.finishSending(records),
      );
    }
  }

  /** Tries again a little later, three times in all. */
  private async patiently(first: () => Promise<void>, again = first): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await (attempt === 1 ? first() : again());
      } catch (thrown) {
        const isOver = attempt === ATTEMPTS || !isWorthAnother(StagecraftError.from(thrown));
        if (isOver) throw thrown;
        await delay(this.about.firstDelayMs * 2 ** (attempt - 1));
      }
    }
  }

  async end(state: string): Promise<void> {
    if (!this.note) return;
    const status = STATUS[state] ?? "RUNNING";
    const ended = status === "RUNNING" ? {} : { endTime: Date.now() };
    await this.client.updateRun(this.note.runId, { status, ...ended });
  }

  missing(records: readonly JsonObject[]): number {
    return Math.max(0, records.length - (this.note?.sent ?? 0));
  }

  private async begin(): Promise<void> {
    const { run, server, experiment } = this.about;
    const record = await readRunRecord(run.dir);
    const experimentId = await this.client.experiment(experiment);
    const startTime = Date.parse(record?.startedAt ?? "") || Date.now();
    const runId = await this.client.createRun({ experimentId, name: run.name, startTime });
    await this.keep({ server, runId, sent: 0 });
  }

  /** The same again does no harm. */
  private async describe(): Promise<void> {
    const { run } = this.about;
    const record = await readRunRecord(run.dir);
    const { runId } = this.note!;
    const params = Object.entries(record?.config ?? {}).map(([key, value]) => ({
      key,
      value: shortened(typeof value === "string" ? value : JSON.stringify(value)),
    }));
    const tags = [
      { key: "stagecraft.stage", value: record?.stage ?? "" },
      { key: "stagecraft.run", value: resolve(run.dir) },
      ...Object.entries(record?.versions ?? {}).map(([key, value]) => ({
        key: `stagecraft.version.${key}`,
        value: String(value),
      })),
    ];
    await this.client.logBatch(runId, { tags });
    for (let at = 0; at < params.length; at += MAX_PARAMS) {
      await this.client.logBatch(runId, { params: params.slice(at, at + MAX_PARAMS) });
    }
    await this.keep({ ...this.note!, isDescribed: true });
  }

  /** The process, or the connection, ended while a batch was under way. */
  private async finishSending(records: readonly JsonObject[]): Promise<void> {
    const { runId, sent, sending } = this.note!;
    if (records.length < sending!.to) {
      // The run has taken records back; nobody can tell which of the batch arrived.
      await this.keep({ ...this.note!, sent: sending!.to, sending: undefined });
      return;
    }
    const first = pointsOf(records, { from: sent, ...sending! })[0];
    if (first && (await this.client.hasPoint(runId, first))) {
      await this.keep({ ...this.note!, sent: sending!.to, sending: undefined });
    } else {
      await this.send(records);
    }
  }

  private async send(records: readonly JsonObject[]): Promise<void> {
    const { runId, sent, sending } = this.note!;
    const metrics = pointsOf(records, { from: sent, ...sending! });
    if (metrics.length > 0) await this.client.logPoints(runId, metrics);
    await this.keep({ ...this.note!, sent: sending!.to, sending: undefined });
  }

  private async keep(note: Omit<Note, "sending"> & { sending?: Note["sending"] | undefined }) {
    const { sending, ...rest } = note;
    this.note = sending ? { ...rest, sending } : rest;
    await atomicWriteFile(join(this.about.run.dir, NOTE_FILE), JSON.stringify(this.note));
  }
}

const STATUS: Readonly<Record<string, string>> = {
  succeeded: "FINISHED",
  failed: "FAILED",
  cancelled: "KILLED",
};

async function noteOf({ dir }: FollowedRun, server: string): Promise<Note | undefined> {
  const file = join(dir, NOTE_FILE);
  if (!existsSync(file)) return undefined;
  const note = JSON.parse(await readFile(file, "utf8")) as Note;
  return note.server === server ? note : undefined;
}

/** A long value shows that it was cut. */
function shortened(value: string): string {
  return value.length <= MAX_VALUE ? value : `${value.slice(0, MAX_VALUE - 1)}…`;
}

/** As many records as one call takes, at least one. */
function batchEnd(records: readonly JsonObject[], from: number): number {
  let [to, numPoints] = [from, 0];
  for (; to < records.length; to++) {
    numPoints += scalarsOf(records[to]!, to).values.length;
    if (numPoints > MAX_POINTS && to > from) break;
  }
  return to;
}

function pointsOf(
  records: readonly JsonObject[],
  { from, to, timestamp }: { from: number; to: number; timestamp: number },
): MlflowPoint[] {
  return records.slice(from, to).flatMap((record, i) => {
    const { step, values } = scalarsOf(record, from + i);
    return values.map(([key, value]) => ({ key, value, timestamp, step }));
  });
}
