// How long a trainer takes to publish weights through the broker, and a policy to fetch them; see HELP.
import { createJetStreamBus, ensureTopology } from "@stagecraft/bus";
import { f32 } from "@stagecraft/checkpoint";
import { startNatsServer } from "@stagecraft/testing";
import { createObjectWeightStore, openWeightPublisher } from "@stagecraft/weights";
import { parseOptions, wholeNumber } from "../lib/options.mjs";
import { withResources } from "./cluster.mjs";

const HELP = `How long a trainer takes to publish weights through the broker, and a policy to fetch them.

node bench/services/publish-weights.mjs [options]

  --params N     millions of parameters (default 64; 355 is GPT-2 medium)
  --versions N   versions to publish, one after another (default 4)
  --keep N       versions kept in the store (default 3)
  --dtype NAME   f32 (default) or bf16

Starts nats-server, publishes random weights as the trainer does, fetches the last version, and prints seconds and MB/s. Beside the store: one chunk after another, as
content is stored that can be read only once.`;

const OPTIONS = {
  params: { type: "string", default: "64" },
  versions: { type: "string", default: "4" },
  keep: { type: "string", default: "3" },
  dtype: { type: "string", default: "f32" },
};
const options = parseOptions(HELP, OPTIONS, ({ params, versions, keep, dtype }) => {
  if (dtype !== "f32" && dtype !== "bf16") throw new Error(`--dtype is f32 or bf16, not ${dtype}`);
  return {
    dtype,
    params: wholeNumber(params, "--params", 1),
    versions: wholeNumber(versions, "--versions", 1),
    keep: wholeNumber(keep, "--keep", 1),
  };
});

const NUM_TENSORS = 32;
const GIB = 1024 ** 3;

/** Weights that no two versions share. */
function weightsOf(version) {
  const length = Math.round((options.params * 1e6) / NUM_TENSORS);
  return new Map(
    Array.from({ length: NUM_TENSORS }, (_, t) => {
      const data = Float32Array.from({ length }, (_, i) => ((i * 31 + t + version) % 1009) / 1009);
      return [`layer.${t}`, f32([length], data)];
    }),
  );
}

async function timed(work) {
  const startedAt = performance.now();
  const result = await work();
  return { result, seconds: (performance.now() - startedAt) / 1000 };
}

const line = (what, sizeBytes, seconds) =>
  `${what}: ${Math.round(sizeBytes / 1e6)} MB in ${seconds.toFixed(1)} s, ${Math.round(sizeBytes / 1e6 / seconds)} MB/s`;

async function* once(bytes) {
  yield await Promise.resolve(bytes);
}

await withResources(async (keep) => {
  const bytesPerWeight = options.dtype === "bf16" ? 2 : 4;
  // nats-server before 2.9.15 does not count what was removed (its pull request 3876): room for all of them.
  const room = 1.02 * (options.versions + 1) * options.params * 1e6 * bytesPerWeight + GIB;
  const nats = keep(
    await startNatsServer({ maxFileStoreBytes: Math.max(6 * GIB, Math.ceil(room)) }),
  );
  const bus = keep(await createJetStreamBus({ servers: nats.url, name: "bench" }));
  const topology = await ensureTopology(bus, "bench");
  const objects = await bus.objects(topology.weightsBucket);
  const store = createObjectWeightStore(objects);
  const { keep: keepWeights, dtype: weightsDtype } = options;
  const publisher = await openWeightPublisher({
    ...{ runId: "bench", bus, topology, store, keepWeights, weightsDtype },
  });
  for (let version = 1; version <= options.versions; version++) {
    const weights = weightsOf(version);
    const { result, seconds } = await timed(() => publisher.store(weights, version));
    await result.announce();
    console.log(line(`version ${version} published`, result.sizeBytes, seconds));
  }
  const { sizeBytes, version, sha256 } = await store.latest();
  const fetched = await timed(() => store.fetch(version, sha256));
  console.log(line(`version ${version} fetched`, sizeBytes, fetched.seconds));
  const sample = new Uint8Array(64 * 1024 ** 2);
  await store.prune(1);
  const slow = await timed(() => objects.put("sample", once(sample)));
  console.log(line("one chunk after another", sample.length, slow.seconds));
});
