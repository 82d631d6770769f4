// A client of ScoreStream that keeps a number of items in flight.
import { reward } from "@stagecraft/contracts";
import { createRpcClient } from "@stagecraft/rpc";

/**
 * `items` are what is in flight at a time; every answer makes room for the next of them. Answers may come
 * in any order. One stream for each run of the loop.
 *
 * @param {number} port
 * @param {number[][]} items
 */
export function keepStreaming(port, items) {
  const client = createRpcClient(reward.RewardServiceClient, `127.0.0.1:${port}`);
  const truncation = reward.TruncationPolicy.REFUSE;
  return async (until, latencies) => {
    const sentAt = new Map();
    let onAnswer = () => {};
    const requests = async function* () {
      for (let itemId = 0n; performance.now() < until; itemId++) {
        while (sentAt.size === items.length) await new Promise((resolve) => (onAnswer = resolve));
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
      latencies.push(performance.now() - sentAt.get(itemId));
      sentAt.delete(itemId);
      onAnswer();
    }
    if (sentAt.size > 0) throw new Error(`${sentAt.size} items had no answer`);
  };
}
