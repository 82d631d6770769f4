import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { StagecraftError, type ErrorRecord, type JsonObject } from "@stagecraft/core";

/** What was asked of a run: kept in its directory, so that the next process knows. */
export interface DesiredState {
  runId: string;
  stage: string;
  /** As given, before defaults. */
  config: JsonObject;
  createdAt: string;
  /** A run that should be working goes on by itself when the trainer starts again. */
  wanted: "working" | "paused" | "cancelled";
  /** Attempts in a row that crashed without getting further. */
  crashes?: number;
  /** While a process works on it: how far it was at the start. Found by the next one: that one died. */
  workingFrom?: string;
  /** Lease of the process that wrote it last. */
  epoch?: number;
  /** Given up after too many crashes. */
  failed?: ErrorRecord;
}

const FILE_NAME = "trainer.json";

/** Durable when it returns; blocks for a small write, so that a request is answered only after it. */
export function writeDesiredState(runDir: string, desired: DesiredState): void {
  const file = join(runDir, FILE_NAME);
  const temporary = `${file}.${process.pid}`;
  try {
    mkdirSync(runDir, { recursive: true });
    const descriptor = openSync(temporary, "w");
    writeSync(descriptor, `${JSON.stringify(desired, null, 2)}\n`);
    fsyncSync(descriptor);
    closeSync(descriptor);
    renameSync(temporary, file);
  } catch (thrown) {
    const { code, reason } = StagecraftError.from(thrown);
    throw new StagecraftError(code, `cannot write ${file}: ${reason}`, { cause: thrown });
  }
}

/** Undefined when no trainer was asked for a run in this directory, or when it cannot be read. */
export async function readDesiredState(runDir: string): Promise<DesiredState | undefined> {
  try {
    return JSON.parse(await readFile(join(runDir, FILE_NAME), "utf8")) as DesiredState;
  } catch {
    return undefined;
  }
}

/** The same, blocking for a small read. */
export function readDesiredStateSync(runDir: string): DesiredState | undefined {
  try {
    return JSON.parse(readFileSync(join(runDir, FILE_NAME), "utf8")) as DesiredState;
  } catch {
    return undefined;
  }
}
