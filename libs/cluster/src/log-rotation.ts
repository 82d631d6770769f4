import {
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";

export interface LogLimits {
  /** A log that is larger is rotated. */
  maxBytes: number;
  /** Rotated ones that stay beside it, `NAME.log.1` the newest; 0 keeps none. */
  keep: number;
}

const EVERY_MS = 5000;
const COPY_BYTES = 1024 * 1024;

/** Rotates the logs of a folder while the cluster runs; returns how to stop. */
export function startLogRotation(
  folder: string,
  limits: LogLimits,
  everyMs = EVERY_MS,
): () => void {
  const timer = setInterval(() => rotateLogs(folder, limits), everyMs);
  timer.unref();
  return () => clearInterval(timer);
}

/** Every `*.log` of the folder that has outgrown the limit. A log that cannot be rotated is left. */
export function rotateLogs(folder: string, limits: LogLimits): void {
  for (const name of readdirSync(folder).filter((each) => each.endsWith(".log"))) {
    const file = join(folder, name);
    try {
      if (statSync(file).size > limits.maxBytes) rotate(file, limits.keep);
    } catch {
      // Gone, or the disk is full: the next look is another chance.
    }
  }
}

/**
 * The process that writes keeps its open file, so the log is copied and then emptied (writers append).
 * Copy and emptying follow each other in one turn; only what is written between the two is lost.
 */
function rotate(file: string, keep: number): void {
  for (let i = keep; i >= 1; i--) {
    const older = i === 1 ? undefined : `${file}.${i - 1}`;
    if (older === undefined) rmSync(`${file}.1`, { force: true });
    else if (existsSync(older)) renameSync(older, `${file}.${i}`);
  }
  const source = openSync(file, "r+");
  try {
    if (keep >= 1) copy(source, `${file}.1`);
    ftruncateSync(source, 0);
  } finally {
    closeSync(source);
  }
}

function copy(source: number, to: string): void {
  const target = openSync(to, "w", 0o600);
  try {
    const buffer = Buffer.alloc(COPY_BYTES);
    for (let position = 0; position < fstatSync(source).size;) {
      const numRead = readSync(source, buffer, 0, buffer.length, position);
      for (let written = 0; written < numRead;) {
        written += writeSync(target, buffer, written, numRead - written);
      }
      position += numRead;
    }
  } finally {
    closeSync(target);
  }
}
