import { openWeightStore, type TensorMap } from "@stagecraft/checkpoint";
import { Moved, serveThread } from "@stagecraft/service-kit";

/** Where the thread of `fetchInThread` finds the weights. */
export interface FetchThreadData {
  weightsDir: string;
}

export type FetchThreadApi = {
  fetch(wanted: { version: number; sha256: string | undefined }): Promise<TensorMap>;
};

/** Reads weights, checks their hash and takes them apart. */
serveThread<FetchThreadData, FetchThreadApi>(async ({ data }) => {
  const store = openWeightStore(data.weightsDir);
  return {
    facts: undefined,
    handlers: {
      async fetch({ version, sha256 }) {
        const tensors = await store.fetch(version, sha256);
        const buffers = [...tensors.values()].map(({ data: { buffer } }) => buffer as ArrayBuffer);
        return new Moved(tensors, [...new Set(buffers)]);
      },
    },
    close: async () => undefined,
  };
});
