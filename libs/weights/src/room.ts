import type { Topology } from "@stagecraft/bus";
import { BYTES_PER_ELEMENT, sizeOfShape, type TensorMap } from "@stagecraft/checkpoint";
import { StagecraftError } from "@stagecraft/core";
import type { WeightStore } from "./weight-store.js";

/** What the broker needs beside the weights: names and headers of chunks, marks of what was removed. */
const OVERHEAD = { factor: 1.01, bytes: 16 * 1024 ** 2 };

const MIB = 1024 ** 2;

export interface RoomOptions {
  store: WeightStore;
  keepWeights: number;
  topology: Pick<Topology, "bucketOptions">;
}

/**
 * Room in the store for the versions that a run keeps, looked after before the first one is published, and
 * so before anything is sampled or learnt. A store whose size was set stays as it is.
 */
export function createRoom({ store, keepWeights, topology }: RoomOptions) {
  let reserved = 0;
  const copies = Math.max(2, keepWeights); // the one in use and the one being published
  return {
    /** Throws `failed_precondition` with sizes and what to set. */
    async reserve(sizeBytes: number): Promise<void> {
      const wanted = Math.ceil(copies * sizeBytes * OVERHEAD.factor) + OVERHEAD.bytes;
      if (wanted <= reserved) return;
      const grow = topology.bucketOptions.maxBytes === undefined;
      await store.reserve?.(wanted, { grow }).catch((thrown: unknown) => {
        throw noRoom(StagecraftError.from(thrown), { copies, sizeBytes, wanted });
      });
      reserved = wanted;
    },
  };
}

/** Bytes of the tensors as they are stored. */
export function sizeOfWeights(tensors: TensorMap): number {
  return [...tensors.values()].reduce(
    (sum, { shape, dtype }) => sum + sizeOfShape(shape) * BYTES_PER_ELEMENT[dtype],
    0,
  );
}

function noRoom(
  error: StagecraftError,
  { copies, sizeBytes, wanted }: { copies: number; sizeBytes: number; wanted: number },
): StagecraftError {
  if (error.code !== "failed_precondition") return error;
  const needed = Math.ceil(wanted / MIB);
  const weights = `${copies} versions of weights of ${Math.ceil(sizeBytes / MIB)} MiB`;
  const advice =
    `set weightsMaxMb to ${needed} or more (an admin: "stagecraft nats setup --weights-max-mb ${needed}"), ` +
    "give the broker more room, keep fewer versions (keepWeights, 2 at least), or serve them as bf16 (weightsDtype)";
  return new StagecraftError(
    "failed_precondition",
    `no room for ${weights}: ${error.reason}; ${advice}`,
    { cause: error, details: { ...error.details } },
  );
}
