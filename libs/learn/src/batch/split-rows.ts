import { StagecraftError } from "@stagecraft/core";
import type { TokenBatch } from "@stagecraft/data";
import { engineInfo, numDevices } from "@stagecraft/tensor";

/** What is learnt of a batch; `rows` are those that are read, default the ones with a target. */
export type LmBatch = Omit<TokenBatch, "numTargetBytes"> & { rows?: Int32Array };

/** Parts of a batch, one for each device. */
export type Split = (batch: LmBatch) => readonly LmBatch[];

const numDevicesFor = ({ devices }: { devices: number }) => devices || numDevices();

/** For a run's figures: the devices that compute it, where they are several. */
export function devicesFigure(config: { devices: number }): { devices?: number } {
  const devices = numDevicesFor(config);
  return devices > 1 ? { devices } : {};
}

/**
 * How batches go to the devices that a configuration asks for; undefined where one computes them whole. Throws when
 * the engine has fewer devices, or a batch fewer rows.
 */
export function splitFor({
  devices,
  batchSize,
}: {
  devices: number;
  batchSize: number;
}): Split | undefined {
  const most = numDevices();
  const wanted = numDevicesFor({ devices });
  if (wanted === 1) return undefined;
  if (wanted > most) {
    const what = `devices is ${wanted}, and the engine "${engineInfo().name}" has ${most} here`;
    throw new StagecraftError(
      "failed_precondition",
      `${what}: only the engine xla has several, as many as its plugin shows (CUDA_VISIBLE_DEVICES hides some)`,
    );
  }
  if (wanted > batchSize) throw new StagecraftError("invalid_argument", tooFew(batchSize, wanted));
  return (batch) => splitRows(batch, wanted);
}

/** What a configuration asks of `devices` that no machine can do, one sentence each. */
export function devicesContradictions({
  devices,
  batchSize,
  engine,
}: {
  devices: number;
  batchSize: number;
  engine: string;
}): string[] {
  if (devices < 2) return [];
  const found = [];
  if (devices > batchSize) found.push(tooFew(batchSize, devices));
  if (engine !== "auto" && engine !== "xla") {
    found.push(`devices is ${devices}, and the engine ${engine} has one: only xla has several`);
  }
  return found;
}

const tooFew = (batchSize: number, devices: number) =>
  `batchSize ${batchSize} leaves some of ${devices} devices without a sequence: raise it, or lower devices`;

/**
 * Parts of as many sequences each, the last ones filled up with padding, which read as many rows each: their shapes are
 * equal, whatever they hold.
 */
export function splitRows(batch: LmBatch, numParts: number): LmBatch[] {
  const { length } = batch;
  const batchSize = Math.ceil(batch.batchSize / numParts);
  const size = batchSize * length;
  const parts = Array.from({ length: numParts }, (_, part) => {
    const cut = (array: Int32Array, padding: number) => {
      const rows = new Int32Array(size).fill(padding);
      rows.set(array.subarray(part * size, (part + 1) * size));
      return rows;
    };
    const targets = cut(batch.targets, -1);
    return {
      ...{ batchSize, length, targets, ids: cut(batch.ids, 0) },
      ...{ segments: cut(batch.segments, 0), positions: cut(batch.positions, 0) },
      numTargets: targets.reduce((count, target) => count + Number(target >= 0), 0),
    };
  });
  if (parts.every(({ numTargets }) => numTargets === size)) return parts; // all rows of all are read
  const numRead = Math.max(1, ...parts.map(({ numTargets }) => numTargets));
  return parts.map((part) => ({ ...part, rows: rowsToRead(part.targets, numRead) }));
}

/** The rows with a target, and some without behind them. */
function rowsToRead(targets: Int32Array, numRead: number): Int32Array {
  const rows = [...targets.keys()];
  const isTarget = (row: number) => targets[row]! >= 0;
  const others = rows.filter((row) => !isTarget(row));
  return Int32Array.from([...rows.filter(isTarget), ...others].slice(0, numRead));
}
