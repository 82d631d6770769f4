// A client of ScoreStream that keeps a number of items in flight.
import { setTimeout as delay } from "node:timers/promises";
import { reward } from "@stagecraft/contracts";
import { createRpcClient } from "@stagecraft/rpc";

/**
 * `items` are what is in flight at a time; every answer makes room for the next of them. Answers may come
 * in any order. One stream for each run of the loop. A paced loop thinks for a random time of mean
 * `thinkMs` before each item, and does not count the first one, which opens the stream.
 *
 * @param {number} port
 * @param {number[][]} items
 * @param {number} thinkMs
 */
export function keepStreaming(port, items, thinkMs) {
  const client = createRpcClient(reward.RewardServiceClient, `127.0.0.1:${port}`);
  const truncation = reward.TruncationPolicy.REFUSE;
  return async (until, latencies, { paced }) => {
    const slowly = paced && thinkMs > 0;
    const sentAt = new Map();
    let onAnswer = () => {};
    const requests = async function* () {
      for (let itemId = 0n; performance.now() < until; itemId++) {
        while (sentAt.size === items.length) await new Promise((resolve) => (onAnswer = resolve));
        if (slowly) await delay(-Math.log(1 - Math.random()) * thinkMs);
        const ids = items[Number(itemId) % items.length];
        sentAt.set(itemId, performance.now());
        yield {
          itemId,
          model: undefined,
          item: { input: { $case: "tokens", value: { ids } } },
          truncation,
        };
      }
    };
    for await (const { itemId, result } of client.scoreStream(requests())) {
      if (result?.$case !== "score") throw new Error("a score is missing");
      if (!slowly || itemId > 0n) latencies.push(performance.now() - sentAt.get(itemId));
      sentAt.delete(itemId);
      onAnswer();
    }
    if (sentAt.size > 0) throw new Error(`${sentAt.size} items had no answer`);
  };
}
