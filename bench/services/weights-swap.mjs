// A large model is published and swapped in by two policy servers while they serve; see HELP.
import { writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { policy } from "@stagecraft/contracts";
import { createModel, presetConfig, saveModel } from "@stagecraft/model";
import { createRpcClient } from "@stagecraft/rpc";
import { initEngine } from "@stagecraft/tensor";
import { startNatsServer, tempDir, waitFor } from "@stagecraft/testing";
import { trainCharTokenizer } from "@stagecraft/tokenizer";
import { parseOptions, wholeNumber } from "../lib/options.mjs";
import { BenchProcess } from "../lib/process.mjs";
import { loopDelayMs, peakMemoryMb, probe, startService, withResources } from "./cluster.mjs";

const DEPLOYMENT = "swap";
const SIZES = {
  large: { numCharacters: 32_000, hiddenSize: 768, numLayers: 12, numHeads: 12 },
  small: { numCharacters: 2000, hiddenSize: 128, numLayers: 4, numHeads: 4 },
};

const HELP = `A large model is published and swapped in by two policy servers while they serve.

node bench/services/weights-swap.mjs [options]

  --swaps N     versions to publish (default 3)
  --callers N   callers that stream answers meanwhile (default 6)
  --threads N   threads of each policy's engine (default 1)
  --small       a model of 1 M parameters instead of 134 M (536 MB)
  --json FILE   write what was measured

Makes a random Llama, starts nats-server and two policy processes, keeps the callers streaming from both
(round robin) and publishes versions as the trainer does. Prints failed requests (exit code 1 if there are
any), the time from announcement to use, the longest wait for a token, memory, health probes and the delay
of the servers' main loops.`;

const OPTIONS = {
  swaps: { type: "string", default: "3" },
  callers: { type: "string", default: "6" },
  threads: { type: "string", default: "1" },
  small: { type: "boolean", default: false },
  json: { type: "string" },
};
const options = parseOptions(HELP, OPTIONS, ({ swaps, callers, threads, ...rest }) => ({
  ...rest,
  swaps: wholeNumber(swaps, "--swaps", 1),
  callers: wholeNumber(callers, "--callers", 1),
  threads: wholeNumber(threads, "--threads", 1),
}));

async function writeModel(dir, sizes) {
  await initEngine({ engine: "native", numThreads: 1 });
  const { numCharacters, ...shape } = sizes;
  const letters = Array.from({ length: numCharacters }, (_, i) => String.fromCodePoint(0x4e00 + i));
  const tokenizer = await trainCharTokenizer([letters.join("")]);
  const { vocabSize } = tokenizer;
  const config = presetConfig("llama", {
    ...shape,
    vocabSize,
    maxPositions: 256,
    tieEmbeddings: false,
  });
  const model = createModel(config, { seed: 1 });
  await saveModel(dir, model, { tokenizerFiles: tokenizer.files() });
  const { numParams } = model;
  model.dispose();
  return numParams;
}

function startPolicy(dir, natsUrl) {
  return startService("policy", {
    ...{ "model-dir": `${dir}/model`, "weights-dir": `${dir}/weights` },
    ...{ "nats-url": natsUrl, deployment: DEPLOYMENT, threads: options.threads, engine: "native" },
    ...{ "max-active": 8, "max-prefill-tokens": 256 },
  });
}

/** Streams one answer after another until stopped; notes what fails and how long a token took. */
async function call(client, caller, load) {
  for (let n = 0; !load.stopped; n++) {
    const sampling = { temperature: 1, topP: 1, repetitionPenalty: 1, maxNewTokens: 24, seed: 0n };
    const ids = Array.from({ length: 16 }, (_, i) => 8 + ((caller * 7 + n + i) % 20));
    const input = {
      prompt: { $case: "tokens", value: { ids } },
      sampling: policySampling({ ...sampling, seed: BigInt(caller * 1000 + n) }),
      minWeightVersion: 0,
    };
    let last = performance.now();
    try {
      const request = { model: "", requestId: `${caller}-${n}`, input };
      for await (const { tokenIds } of client.generate(request, { timeoutMs: 120_000 })) {
        load.numTokens += tokenIds.length;
        load.longestWaitMs = Math.max(load.longestWaitMs, performance.now() - last);
        last = performance.now();
      }
      load.numAnswered++;
    } catch (error) {
      load.failures.push(String(error));
      await delay(100);
    }
  }
}

const policySampling = (fields) => ({ topK: 0, minP: 0, stop: [], ...fields });

/** Publishes a version; resolves to the seconds until each server uses it. */
async function swap(publisher, servers, version) {
  publisher.child.stdin.write(`${version}\n`);
  const published = await publisher.nextLine();
  const announcedAt = performance.now();
  const seconds = servers.map(async ({ client }) => {
    await waitFor(async () => (await client.getStatus({})).weights.version === version, {
      what: `version ${version} in use`,
      timeoutMs: 180_000,
    });
    return (performance.now() - announcedAt) / 1000;
  });
  return { ...published, swapSeconds: await Promise.all(seconds) };
}

async function main(keep) {
  const directory = keep(await tempDir());
  const dir = directory.path;
  const numParams = await writeModel(`${dir}/model`, options.small ? SIZES.small : SIZES.large);
  console.log(`model: ${(numParams / 1e6).toFixed(1)} M parameters`);
  const nats = keep(await startNatsServer({ maxFileStoreBytes: 8 * 1024 ** 3 }));
  const first = keep(await startPolicy(dir, nats.url));
  const second = keep(await startPolicy(dir, nats.url));
  const servers = [first, second].map((server) => {
    return { server, client: createRpcClient(policy.PolicyServiceClient, server.address) };
  });
  const addresses = servers.map(({ server }) => server.address).join(",");
  const client = keep(
    createRpcClient(policy.PolicyServiceClient, addresses, { idempotent: "all" }),
  );
  const script = fileURLToPath(new URL("swap-publisher.mjs", import.meta.url));
  const args = [script, `${dir}/model`, `${dir}/weights`, nats.url, DEPLOYMENT];
  const publisher = await BenchProcess.start(process.execPath, args);

  const load = { stopped: false, numAnswered: 0, numTokens: 0, longestWaitMs: 0, failures: [] };
  const callers = Array.from({ length: options.callers }, (_, i) => call(client, i, load));
  const warm = () => load.numAnswered >= callers.length || load.failures.length > 0;
  await waitFor(warm, { what: "answers", timeoutMs: 180_000 });
  if (load.failures.length > 0) throw new Error(load.failures[0]);
  const memoryBeforeMb = servers.map(({ server }) => Math.round(peakMemoryMb(server)));
  for (const { server } of servers) await loopDelayMs(server); // from here on
  const waitBeforeMs = load.longestWaitMs;
  const answeredBefore = load.numAnswered;
  load.longestWaitMs = 0;
  const stopProbing = probe(servers.map(({ server }) => server));
  const swaps = [];
  for (let version = 1; version <= options.swaps; version++) {
    swaps.push(await swap(publisher, servers, version));
    const { sizeBytes, seconds, swapSeconds } = swaps.at(-1);
    const list = swapSeconds.map((s) => s.toFixed(1)).join(" and ");
    const size = `${Math.round(sizeBytes / 1e6)} MB`;
    console.log(
      `version ${version}: ${size}, published in ${seconds.toFixed(1)} s, used after ${list} s`,
    );
  }
  const loopDelays = await Promise.all(servers.map(({ server }) => loopDelayMs(server)));
  const probes = await stopProbing();
  load.stopped = true;
  await Promise.all(callers);
  const report = {
    ...{ numParams, swaps, numAnswered: load.numAnswered, numTokens: load.numTokens },
    answeredDuringSwaps: load.numAnswered - answeredBefore,
    numFailed: load.failures.length,
    failures: load.failures.slice(0, 5),
    longestWaitMs: { before: Math.round(waitBeforeMs), during: Math.round(load.longestWaitMs) },
    loopDelayP99Ms: loopDelays.map((ms) => Number(ms.toFixed(1))),
    probes: Object.fromEntries(probes),
    peakMemoryMb: {
      before: memoryBeforeMb,
      after: servers.map(({ server }) => Math.round(peakMemoryMb(server))),
    },
  };
  await publisher.stop();
  for (const each of servers) each.client.close();
  console.log(JSON.stringify(report, undefined, 2));
  if (options.json) writeFileSync(options.json, `${JSON.stringify(report, undefined, 2)}\n`);
  process.exitCode = load.failures.length > 0 ? 1 : 0;
}

await withResources(main);
