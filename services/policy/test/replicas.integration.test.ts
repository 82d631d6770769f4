import { policy, toSampling, toTokens } from "@stagecraft/contracts";
import type { Model } from "@stagecraft/model";
import { createRpcClient, createRpcServer, type RpcServer } from "@stagecraft/rpc";
import { initEngine } from "@stagecraft/tensor";
import { tempDir, waitFor } from "@stagecraft/testing";
import type { Tokenizer } from "@stagecraft/tokenizer";
import { followWeights, openWeightStore } from "@stagecraft/weights";
import { beforeAll, describe, expect, it } from "vitest";
import type { PolicyEngine } from "../src/engine.js";
import { createPolicyService } from "../src/service.js";
import { otherWeights, request, tinyEngine, tinyModel, tinyTokenizer } from "./fixtures.js";

let tokenizer: Tokenizer;
beforeAll(async () => {
  await initEngine({ engine: "cpu" });
  tokenizer = await tinyTokenizer();
});

interface Replica {
  engine: PolicyEngine;
  server: RpcServer;
  port: number;
  model: Model;
  close(): Promise<void>;
}

async function startReplica(weightsDir: string): Promise<Replica> {
  const model = tinyModel(tokenizer);
  const engine = tinyEngine(tokenizer, model, { maxQueued: 256 });
  const announcements = (async function* () {})();
  const follower = followWeights({ engine, store: openWeightStore(weightsDir), announcements });
  const service = createPolicyService({ engine, follower, maxItemsPerRequest: 16 });
  const server = createRpcServer();
  service.register(server);
  const { port } = await server.start();
  const close = async () => {
    await server.drain(5000);
    await service.close();
  };
  return { engine, server, port, model, close };
}

function ask(seed: number) {
  const { promptIds, sampling } = request(tokenizer, "the cat", { seed, temperature: 2 });
  const prompt = { $case: "tokens" as const, value: toTokens(promptIds) };
  const inputs = [{ prompt, sampling: toSampling(sampling), minWeightVersion: 0 }];
  return { model: "", requestId: "", inputs };
}

async function clientOf(replicas: readonly Replica[]) {
  const address = replicas.map(({ port }) => `127.0.0.1:${port}`).join(",");
  const client = createRpcClient(policy.PolicyServiceClient, address, { idempotent: "all" });
  await client.waitForReady(10_000);
  return client;
}

describe("two replicas behind client-side round robin", () => {
  it("share the calls, and one takes them all when the other drains: none fails", async () => {
    await using directory = await tempDir();
    const replicas = [await startReplica(directory.path), await startReplica(directory.path)];
    await using client = await clientOf(replicas);
    const first = await Promise.all(
      Array.from({ length: 20 }, (_, i) => client.generateBatch(ask(i))),
    );
    // Calls go to every replica as soon as its connection stands.
    await waitFor(async () => {
      await client.generateBatch(ask(0));
      return replicas.every(({ engine }) => engine.status().numTokensGenerated > 0);
    });
    const again = Array.from({ length: 20 }, (_, i) => client.generateBatch(ask(i)));
    const draining = replicas[0]!.close();
    const tokensOf = (answer: (typeof first)[number]) => answer.generations[0]!.tokenIds;
    expect((await Promise.all(again)).map(tokensOf)).toEqual(first.map(tokensOf));
    await draining;
    const before = replicas[1]!.engine.status().numTokensGenerated;
    await Promise.all(Array.from({ length: 5 }, (_, i) => client.generateBatch(ask(i))));
    expect(replicas[1]!.engine.status().numTokensGenerated).toBeGreaterThan(before);
    await replicas[1]!.close();
  });

  it("swap weights under constant load without failing a call", async () => {
    await using directory = await tempDir();
    const store = openWeightStore(directory.path);
    const replicas = [await startReplica(directory.path), await startReplica(directory.path)];
    await using client = await clientOf(replicas);
    const { model } = replicas[0]!;
    const variants = [1.5, 0.5, 2].map((factor) => otherWeights(model, factor));
    let stopped = false;
    const versionsSeen = new Set<number>();
    const caller = async (seed: number) => {
      while (!stopped) {
        const { generations } = await client.generateBatch(ask(seed));
        const { weightVersions } = generations[0]!;
        expect([...weightVersions].sort()).toEqual(weightVersions); // never backwards
        for (const version of weightVersions) versionsSeen.add(version);
      }
    };
    const callers = Array.from({ length: 12 }, (_, seed) => caller(seed));
    for (const [i, tensors] of variants.entries()) {
      const { version, sha256 } = await store.publish(i + 1, tensors);
      const weights = { version, sha256, step: 0n, sizeBytes: 0n };
      // Each call goes to the next replica.
      const loads = replicas.map(() => client.loadWeights({ weights, allowRollback: false }));
      await Promise.all(loads);
      const input = { ...ask(0).inputs[0]!, minWeightVersion: version };
      await client.generateBatch({ model: "", requestId: "", inputs: [input] });
    }
    stopped = true;
    await Promise.all(callers);
    expect([...versionsSeen].sort()).toEqual(expect.arrayContaining([1, 2, 3]));
    for (const replica of replicas) await replica.close();
  });
});
