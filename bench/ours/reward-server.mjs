// A reward-model server with a trivial model, in its own process: reward-server.mjs VOCAB. Prints its
// port, serves until stdin ends. The service is the product's; the model answers the mean of the ids, so
// that what is measured is everything but the model. Items do not wait for company (maxWaitMs 0); they
// still share a batch when they come while one runs.
import { createRpcServer } from "@stagecraft/rpc";
import { createRewardModelService } from "@stagecraft/service-reward-model";
import { trainCharTokenizer } from "@stagecraft/tokenizer";

const vocabSize = Number(process.argv[2] ?? 4096);
const mean = (ids) => ids.reduce((sum, id) => sum + id, 0) / ids.length / vocabSize;
const scorer = {
  name: "trivial",
  version: "1",
  model: { config: { architecture: "llama", vocabSize, maxPositions: 512 }, numParams: 0 },
  tokenizer: await trainCharTokenizer(["abc"]),
  scoreMean: 0,
  scoreStd: 1,
  render: () => new Int32Array(1),
  score: (sequences) => sequences.map((ids) => ({ value: mean(ids), uncertainty: 0 })),
  dispose: () => undefined,
};
const service = createRewardModelService({
  scorers: [scorer],
  maxBatch: 64,
  maxWaitMs: 0,
  maxQueued: 65_536,
  maxItemsPerRequest: 1024,
});
const server = createRpcServer({ limits: { maxConcurrentCalls: 4096, maxConnectionAgeMs: 3.6e6 } });
service.register(server);
const { port } = await server.start();
console.log(JSON.stringify({ port }));
process.stdin.resume().on("end", () => process.exit(0));
