import { createHash, randomUUID } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Everything that a compiled program depends on. */
export interface ProgramKey {
  mlirText: string;
  options: Uint8Array;
  platform: string;
  /** The plugin's own words and its PJRT version. */
  pluginVersion: string;
  deviceKinds: readonly string[];
  /** XLA's own, as `compilerFlags` gives them. */
  flags: readonly string[];
}

/** The flags of XLA_FLAGS but for the number of a CPU's devices, which are named. */
export function compilerFlags(flags: string): string[] {
  const all = flags.split(/\s+/).filter((flag) => flag !== "");
  return all.filter((flag) => !flag.startsWith("--xla_force_host_platform_device_count"));
}

const HASH_BYTES = 32;
const MAX_BYTES = 4 * 2 ** 30;

/** After so long nobody is still writing a file: its process has died. */
const UNFINISHED_MS = 3_600_000;

/**
 * Compiled programs in a directory, a file each, named by the key's hash. Written beside and renamed, so that
 * several processes may share it; a file that is cut short or altered, or that cannot be read, counts as absent, and
 * a warning tells of it. Above `maxBytes` (default 4 GiB) those go that were used least
 * recently, and what a process that died has left unfinished. Delete files at will.
 */
export class ProgramCache {
  constructor(
    private readonly dir: string,
    private readonly maxBytes = MAX_BYTES,
  ) {}

  read(key: ProgramKey): Buffer | undefined {
    const file = this.#fileOf(key);
    let stored: Buffer;
    try {
      stored = readFileSync(file);
    } catch (error) {
      const { code = "", message } = error as NodeJS.ErrnoException;
      if (!["ENOENT", "ENOTDIR"].includes(code)) compiledAnew(message);
      return undefined;
    }
    const program = stored.subarray(HASH_BYTES);
    if (!sha256(program).equals(stored.subarray(0, HASH_BYTES))) {
      compiledAnew(`${file} is cut short or altered`);
      return undefined;
    }
    touch(file);
    return program;
  }

  write(key: ProgramKey, program: Uint8Array): void {
    mkdirSync(this.dir, { recursive: true });
    const file = this.#fileOf(key);
    const unfinished = `${file}.${randomUUID()}.tmp`;
    try {
      writeFileSync(unfinished, Buffer.concat([sha256(program), program]));
      replace(unfinished, file);
    } finally {
      rmSync(unfinished, { force: true });
    }
    this.#prune();
  }

  #prune(): void {
    const found = readdirSync(this.dir);
    const about = (ending: string) =>
      found.flatMap((name) => (name.endsWith(ending) ? (sizeOf(join(this.dir, name)) ?? []) : []));
    for (const { path, usedMs } of about(".tmp")) {
      if (usedMs < Date.now() - UNFINISHED_MS) removeAll(path);
    }
    const files = about(".pjrt");
    let total = files.reduce((sum, { size }) => sum + size, 0);
    for (const { path, size } of files.sort((a, b) => a.usedMs - b.usedMs)) {
      if (total <= this.maxBytes) return;
      removeAll(path);
      total -= size;
    }
  }

  #fileOf(key: ProgramKey): string {
    const { mlirText, options, flags, ...rest } = key;
    const about = flags.length > 0 ? { ...rest, flags } : rest; // files of before are without
    const hash = createHash("sha256").update(JSON.stringify(about)).update("\0").update(options);
    return join(this.dir, `${hash.update("\0").update(mlirText).digest("hex")}.pjrt`);
  }
}

/** Tells of a kept program that is of no use. */
export function compiledAnew(reason: string): void {
  process.emitWarning(`a compiled program cannot be used, it is compiled anew: ${reason}`);
}

/** Undefined for a file that another process has removed meanwhile. */
function sizeOf(path: string): { path: string; size: number; usedMs: number } | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  return found && { path, size: found.size, usedMs: found.mtimeMs };
}

/** A folder in the file's place, which a rename does not replace, goes first. */
function replace(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch {
    removeAll(to);
    renameSync(from, to);
  }
}

/** Folders too, should somebody have made some. */
function removeAll(path: string): void {
  rmSync(path, { recursive: true, force: true });
}

/** Marks a file as used now, where that is allowed. */
function touch(file: string): void {
  try {
    utimesSync(file, new Date(), new Date());
  } catch {
    // a directory that others may only read
  }
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}
