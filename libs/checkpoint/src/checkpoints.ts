import { join } from "node:path";
import { StagecraftError, type JsonObject } from "@stagecraft/core";
import { listNames, sweepTemporaries } from "./atomic-directory.js";
import { atomicWriteFile, type AtomicOptions } from "./atomic-write.js";
import { nodeFileSystem, type FileSystem } from "./file-system.js";
import { readSealedDirectory, writeSealedDirectory } from "./manifest.js";
import { decodeSafetensors, encodeSafetensorsChunks } from "./safetensors.js";
import type { TensorMap } from "./tensor-entry.js";

export interface Checkpoint {
  readonly step: number;
  readonly tensors: TensorMap;
  /** Everything that is not a tensor: counters, RNG states, data positions, ledgers. */
  readonly state: JsonObject;
}

export interface CheckpointOptions {
  /** How many to keep; at least 2, so that a damaged newest one has a predecessor. Default 2. */
  keep?: number;
  /** Told when a damaged checkpoint is passed over. */
  onWarning?: (message: string) => void;
  /** Throws when this process may no longer write here; called right before every visible change. */
  guard?: (() => void) | undefined;
  /** Lease under which checkpoints are written; goes into their manifests. */
  epoch?: number | undefined;
  /** For fault tests. */
  fileSystem?: FileSystem;
}

/**
 * Checkpoints of one run: `step-NNNNNN/{tensors.safetensors,state.json,manifest.json}` and the
 * pointer `LATEST`. One writer at a time; the run's lock sees to that.
 */
export interface CheckpointStore {
  /**
   * Commits a checkpoint: after it resolves a crash cannot lose it. The tensors must not change
   * until then. Older checkpoints beyond `keep`, and later steps of an abandoned line, are removed.
   * Throws `resource_exhausted` on a full disk.
   */
  save(step: number, content: { tensors: TensorMap; state: JsonObject }): Promise<void>;
  /**
   * The newest checkpoint whose hashes hold, or undefined when there is none at all. Throws
   * `data_loss` when there are some and every one is damaged.
   */
  loadLatest(): Promise<Checkpoint | undefined>;
  /** Steps on disk, ascending, unverified. */
  list(): Promise<number[]>;
}

const TENSORS_FILE = "tensors.safetensors";
const STATE_FILE = "state.json";
const LATEST_FILE = "LATEST";

/** Opens the checkpoint directory of a run; it need not exist yet. Nothing is touched until used. */
export function openCheckpoints(
  directory: string,
  { keep = 2, onWarning = () => {}, fileSystem = nodeFileSystem, ...more }: CheckpointOptions = {},
): CheckpointStore {
  const { guard, epoch } = more;
  if (!Number.isInteger(keep) || keep < 2) {
    throw new StagecraftError("invalid_argument", `keep must be an integer ≥ 2, got ${keep}`);
  }
  let swept: Promise<void> | undefined;
  const sweepOnce = () => (swept ??= sweepTemporaries(directory, { fileSystem }));
  const list = async () => (await listNames(directory, fileSystem)).flatMap(stepOf).sort(ascending);

  const readPointer = async () => {
    const file = join(directory, LATEST_FILE);
    return (await fileSystem.readFile(file, "utf8").catch(() => "")).trim();
  };

  return {
    list,
    async save(step, content) {
      await sweepOnce();
      const meta = { step, ...(epoch === undefined ? {} : { epoch }) };
      const how = { fileSystem, guard };
      await write(join(directory, nameOf(step)), content, { meta, ...how });
      await atomicWriteFile(join(directory, LATEST_FILE), `${nameOf(step)}\n`, how);
      for (const old of obsolete(await list(), step, keep)) {
        guard?.();
        await fileSystem.rm(join(directory, nameOf(old)), { recursive: true, force: true });
      }
    },
    async loadLatest() {
      await sweepOnce();
      const problems: string[] = [];
      for (const step of candidates(await list(), await readPointer(), onWarning)) {
        try {
          return await read(join(directory, nameOf(step)), step, fileSystem);
        } catch (thrown) {
          const { reason } = StagecraftError.from(thrown);
          problems.push(reason);
          onWarning(`checkpoint ${nameOf(step)} is damaged and passed over: ${reason}`);
        }
      }
      if (problems.length === 0) return undefined;
      throw new StagecraftError(
        "data_loss",
        `every checkpoint in ${directory} is damaged; restore one or start again: ${problems.join("; ")}`,
        { details: { directory, problems } },
      );
    },
  };
}

async function write(
  directory: string,
  { tensors, state }: { tensors: TensorMap; state: JsonObject },
  options: AtomicOptions & { meta: JsonObject },
): Promise<void> {
  const files = new Map([
    [TENSORS_FILE, encodeSafetensorsChunks(tensors)],
    [STATE_FILE, [Buffer.from(`${JSON.stringify(state, refuseNonFinite)}\n`)]],
  ]);
  await writeSealedDirectory(directory, files, options);
}

async function read(directory: string, step: number, fileSystem: FileSystem): Promise<Checkpoint> {
  const { manifest, files } = await readSealedDirectory(directory, fileSystem);
  const tensors = files.get(TENSORS_FILE);
  const state = files.get(STATE_FILE);
  if (!tensors || !state || manifest.meta["step"] !== step) {
    throw new StagecraftError("data_loss", `${directory} is not the checkpoint of step ${step}`);
  }
  return {
    step,
    tensors: decodeSafetensors(tensors, join(directory, TENSORS_FILE)).tensors,
    state: JSON.parse(Buffer.from(state).toString()) as JsonObject,
  };
}

/** The pointer's step first, the others from the newest down. */
function candidates(
  steps: readonly number[],
  pointer: string,
  onWarning: (message: string) => void,
): number[] {
  const newestFirst = [...steps].reverse();
  const [latest] = stepOf(pointer);
  if (latest !== undefined && steps.includes(latest)) {
    return [latest, ...newestFirst.filter((step) => step !== latest)];
  }
  if (steps.length > 0) {
    onWarning(`${LATEST_FILE} names no checkpoint ("${pointer}"); taking the newest that is whole`);
  }
  return newestFirst;
}

function obsolete(steps: readonly number[], current: number, keep: number): number[] {
  const line = steps.filter((step) => step <= current);
  return [...line.slice(0, -keep), ...steps.filter((step) => step > current)];
}

function nameOf(step: number): string {
  if (!Number.isSafeInteger(step) || step < 0) {
    throw new StagecraftError("invalid_argument", `step must be an integer ≥ 0, got ${step}`);
  }
  return `step-${String(step).padStart(6, "0")}`;
}

function stepOf(name: string): number[] {
  const match = /^step-(\d{6,})$/.exec(name);
  return match ? [Number(match[1])] : [];
}

// JSON would turn NaN into null and the resumed run would not be the same run.
function refuseNonFinite(key: string, value: unknown): unknown {
  if (typeof value !== "number" || Number.isFinite(value)) return value;
  throw new StagecraftError("invalid_argument", `state field ${key} is ${value}; use null instead`);
}

function ascending(a: number, b: number): number {
  return a - b;
}
