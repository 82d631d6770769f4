import { openWeightStore, type WeightStore } from "@stagecraft/checkpoint";
import { startThread, threadModule } from "@stagecraft/service-kit";
import type { FetchThreadApi, FetchThreadData } from "./fetch-thread.js";

/**
 * A weight store of a directory whose `fetch` runs in a thread of its own, started for each version
 * and gone with its memory afterwards: hashing and parsing hundreds of megabytes would hold up this
 * thread's calls and the engine's decode steps. What it fetches belongs to the caller alone.
 */
export function fetchInThread(weightsDir: string): WeightStore {
  return {
    ...openWeightStore(weightsDir),
    async fetch(version, sha256) {
      await using thread = await startThread<FetchThreadData, FetchThreadApi>({
        name: "weights",
        module: threadModule("./fetch-thread.js", import.meta.url),
        data: { weightsDir },
      });
      return await thread.call("fetch", { version, sha256 });
    },
  };
}
