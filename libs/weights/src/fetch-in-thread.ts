import { startThread, threadModule, type Thread } from "@stagecraft/service-kit";
import type { FetchThreadApi, FetchThreadData } from "./fetch-thread.js";
import type { WeightStore } from "./weight-store.js";

/** A weight store whose thread ends with it. */
export interface ThreadedWeightStore extends WeightStore, AsyncDisposable {}

/**
 * The same store, but `fetch` runs in a thread of its own: hashing and parsing hundreds of megabytes
 * would hold up this thread's calls and the engine's decode steps. What it fetches belongs to the
 * caller alone. A thread that crashes fails its fetches; the next one starts another.
 */
export function fetchInThread(store: WeightStore, data: FetchThreadData): ThreadedWeightStore {
  let starting: Promise<Thread<FetchThreadApi, undefined>> | undefined;
  const running = () => {
    starting ??= startThread<FetchThreadData, FetchThreadApi>({
      name: "weights",
      module: threadModule("./fetch-thread.js", import.meta.url),
      data,
    });
    const mine = starting;
    const forget = () => {
      if (starting === mine) starting = undefined;
    };
    mine.then(({ ended }) => ended.then(forget), forget);
    return mine;
  };
  running().catch(() => undefined); // started before the first weights come
  return {
    ...store,
    fetch: async (version, sha256) => (await running()).call("fetch", { version, sha256 }),
    async [Symbol.asyncDispose]() {
      await (await starting?.catch(() => undefined))?.close();
    },
  };
}
