import { createJetStreamBus, type JetStreamOptions } from "@stagecraft/bus";
import { readVerifier, type TensorMap } from "@stagecraft/checkpoint";
import { Moved, serveThread } from "@stagecraft/service-kit";
import { OBJECT_STORE_LOCATION, openWeightStoreAt } from "./open-store.js";

/** Where the thread of `fetchInThread` finds the weights: plain data. */
export interface FetchThreadData {
  /** A directory, or what stands for the object store of the bus. */
  weightsDir: string;
  /** For the object store: how to reach the bus, and the bucket. */
  bus?: Omit<JetStreamOptions, "name" | "logger" | "metrics">;
  weightsBucket?: string;
  /** Public keys; weights that none of them has signed are refused. */
  verifyKeys?: readonly string[];
}

export type FetchThreadApi = {
  fetch(wanted: { version: number; sha256: string | undefined }): Promise<TensorMap>;
};

/** Reads weights, checks their hash and takes them apart. */
serveThread<FetchThreadData, FetchThreadApi>(async ({ data }) => {
  const { weightsDir, weightsBucket = "" } = data;
  const bus =
    data.bus && weightsDir === OBJECT_STORE_LOCATION
      ? await createJetStreamBus({ ...data.bus, name: "policy" })
      : undefined;
  const verifier = await readVerifier(data.verifyKeys ?? []);
  const store = await openWeightStoreAt(weightsDir, () => bus!.objects(weightsBucket), {
    verifier,
  });
  return {
    facts: undefined,
    handlers: {
      async fetch({ version, sha256 }) {
        const tensors = await store.fetch(version, sha256);
        const buffers = [...tensors.values()].map(({ data: { buffer } }) => buffer as ArrayBuffer);
        return new Moved(tensors, [...new Set(buffers)]);
      },
    },
    close: async () => bus?.close(),
  };
});
