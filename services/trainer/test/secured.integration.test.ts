import { existsSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import {
  createJetStreamBus,
  ensureTopology,
  natsServerConfig,
  deploymentTopology,
} from "@stagecraft/bus";
import { trainer } from "@stagecraft/contracts";
import { writeJsonl } from "@stagecraft/data";
import { createModel, presetConfig, saveModel } from "@stagecraft/model";
import { createRpcClient, type ClientTls } from "@stagecraft/rpc";
import { initEngine } from "@stagecraft/tensor";
import {
  hasNatsServer,
  makeCertificates,
  NATS_MISSING,
  servingAddress,
  startNatsServer,
  startProcess,
  tempDir,
} from "@stagecraft/testing";
import { trainCharTokenizer } from "@stagecraft/tokenizer";
import { describe, expect, it } from "vitest";

const mainOf = (service: string) =>
  fileURLToPath(new URL(`../../${service}/dist/main.js`, import.meta.url));
const SERVICES = ["policy", "reward-model", "rollout", "trainer"] as const;
const missing = !hasNatsServer()
  ? NATS_MISSING
  : SERVICES.some((service) => !existsSync(mainOf(service)))
    ? "services are not built (npm run build)"
    : undefined;
const NUM_TASKS = 3;
const TOKEN = "a-token-of-this-test";

async function writeWorld(dir: string): Promise<void> {
  await initEngine({ engine: "cpu", numThreads: 1 });
  const tokenizer = await trainCharTokenizer(["abcdefghijklmnopqrstuvwxyz .?"]);
  const sizes = { hiddenSize: 8, numLayers: 1, numHeads: 2, maxPositions: 40 };
  const config = presetConfig("llama", { vocabSize: tokenizer.vocabSize, ...sizes });
  for (const [name, head] of [
    ["policy", "lm"],
    ["reward", "score"],
  ] as const) {
    const model = createModel(config, { seed: 1, heads: [head] });
    await saveModel(`${dir}/${name}`, model, { tokenizerFiles: tokenizer.files() });
    model.dispose();
  }
  const prompts = Array.from({ length: NUM_TASKS }, (_, i) => {
    return { id: `p${i}`, messages: [{ role: "user", content: "hi" }] };
  });
  await writeJsonl(`${dir}/prompts.jsonl`, prompts);
}

interface Span {
  service: string;
  name: string;
  traceId: string;
}

/** An OTLP collector that keeps what it gets. */
async function startCollector() {
  const spans: Span[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
    request.on("end", () => {
      spans.push(...spansOf(JSON.parse(body) as ExportRequest));
      response.writeHead(200, { "content-type": "application/json" }).end("{}");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const close = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { spans, endpoint: `http://127.0.0.1:${port}`, [Symbol.asyncDispose]: close };
}

interface ExportRequest {
  resourceSpans: {
    resource: { attributes: { key: string; value: { stringValue?: string } }[] };
    scopeSpans: { spans: { name: string; traceId: string }[] }[];
  }[];
}

function spansOf({ resourceSpans }: ExportRequest): Span[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const named = resource.attributes.find(({ key }) => key === "service.name");
    const service = named?.value.stringValue ?? "";
    return scopeSpans.flatMap(({ spans }) =>
      spans.map(({ name, traceId }) => ({ service, name, traceId })),
    );
  });
}

/** Starts a service and waits until it serves; its ports and what it has logged. */
async function start(service: string, flags: Record<string, string>, env: NodeJS.ProcessEnv) {
  const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]);
  const options = { env: { ...process.env, ...env } };
  const started = await startProcess(process.execPath, [mainOf(service), ...args], options);
  const logged = () =>
    started
      .output()
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  const address = await servingAddress(started, service);
  const { metricsPort } = logged().find(({ msg }) => msg === "serving")!;
  const metricsUrl = `http://127.0.0.1:${String(metricsPort)}/metrics`;
  return Object.assign(started, { address, metricsUrl, logged });
}

describe.skipIf(missing !== undefined)(`secured processes${missing ? `: ${missing}` : ""}`, () => {
  it("train under mTLS, tokens and NATS users, and tell of it in traces, metrics and logs", async () => {
    await using directory = await tempDir();
    const dir = directory.path;
    await writeWorld(dir);
    makeCertificates(dir);
    const topology = deploymentTopology("secured");
    const pem = (name: string) => JSON.stringify(`${dir}/${name}`);
    const where = { listen: "-", storeDir: "-", maxFileStore: "8GB" };
    const users = natsServerConfig(topology, where);
    const tlsBlock = `tls: { cert_file: ${pem("server.crt")}, key_file: ${pem("server.key")}, ca_file: ${pem("ca.crt")}, verify: true }`;
    const authorization = users
      .slice(users.indexOf("authorization"))
      .replace(/\$NATS_(\w+)_PASSWORD/g, (_, role: string) => `"${role.toLowerCase()}-pw"`);
    await using nats = await startNatsServer({
      config: `${tlsBlock}\n${authorization}`,
      maxFileStoreBytes: 8 * 1024 ** 3,
    });
    const natsUrl = nats.url.replace("nats:", "tls:");
    const [caFile, certFile, keyFile] = [`${dir}/ca.crt`, `${dir}/client.crt`, `${dir}/client.key`];
    const tls: ClientTls = { caFile, certFile, keyFile };
    {
      const admin = { user: "admin", password: "admin-pw" };
      await using bus = await createJetStreamBus({ servers: natsUrl, tls, ...admin });
      await ensureTopology(bus, topology);
    }
    await using collector = await startCollector();
    const server = {
      port: "0",
      "tls-cert": `${dir}/server.crt`,
      "tls-key": `${dir}/server.key`,
      "tls-client-ca": caFile,
      "traces-endpoint": collector.endpoint,
      "log-level": "debug",
    };
    const meeting = (user: string) => ({
      ...{ "nats-url": natsUrl, "nats-user": user, deployment: "secured" },
      ...{ "nats-tls-ca": caFile, "nats-tls-cert": certFile, "nats-tls-key": keyFile },
    });
    const engine = { engine: "cpu", threads: "1" };
    const weights = { "weights-dir": `${dir}/weights` };
    const secrets = (service: string) => ({
      [`STAGECRAFT_${service}_TOKENS`]: TOKEN,
      [`STAGECRAFT_${service}_NATS_PASSWORD`]: `${service.toLowerCase()}-pw`,
    });
    await using policyServer = await start(
      "policy",
      { ...server, ...meeting("policy"), ...engine, ...weights, "model-dir": `${dir}/policy` },
      secrets("POLICY"),
    );
    await using rewardServer = await start(
      "reward-model",
      { ...server, ...engine, models: `rm=${dir}/reward` },
      { STAGECRAFT_REWARD_MODEL_TOKENS: TOKEN },
    );
    const calls = { "call-tls-ca": caFile, "call-tls-cert": certFile, "call-tls-key": keyFile };
    const addresses = {
      "policy-address": policyServer.address,
      "reward-address": rewardServer.address,
    };
    await using worker = await start(
      "rollout",
      { ...server, ...meeting("rollout"), ...calls, ...addresses },
      { ...secrets("ROLLOUT"), STAGECRAFT_ROLLOUT_CALL_TOKEN: TOKEN },
    );
    await using trainerServer = await start(
      "trainer",
      {
        ...{ ...server, ...meeting("trainer"), ...engine, ...weights },
        ...{ "runs-dir": `${dir}/runs`, "read-dirs": dir },
      },
      secrets("TRAINER"),
    );

    const knock = async (options: { tls?: ClientTls; token?: string }) => {
      await using client = createRpcClient(
        trainer.TrainerServiceClient,
        trainerServer.address,
        options,
      );
      return await client.listStages({}, { timeoutMs: 5000 });
    };
    await expect(knock({ token: TOKEN })).rejects.toMatchObject({ code: "unavailable" });
    await expect(knock({ tls: { caFile }, token: TOKEN })).rejects.toMatchObject({
      code: "unavailable",
    });
    await expect(knock({ tls })).rejects.toMatchObject({ code: "unauthenticated" });
    await expect(knock({ tls, token: `${TOKEN}!` })).rejects.toMatchObject({
      code: "unauthenticated",
    });

    await using client = createRpcClient(trainer.TrainerServiceClient, trainerServer.address, {
      tls,
      token: TOKEN,
    });
    const config = {
      policy: `${dir}/policy`,
      rewardModel: `${dir}/reward`,
      prompts: [`${dir}/prompts.jsonl`],
      updates: 1,
      promptsPerUpdate: NUM_TASKS,
      epochs: 1,
      maxNewTokens: 6,
      ...{ engine: "cpu", threads: 1 },
    };
    await client.createRun(
      trainer.CreateRunRequest.fromPartial({ runId: "r1", stage: "ppo", config }),
    );
    const watching = client.watchRun({ runId: "r1", afterSequence: 0n }, { timeoutMs: 60_000 });
    for await (const _ of watching);
    const { run } = await client.getRun({ runId: "r1" });
    expect(run!.error).toBeUndefined();
    expect(run!.state).toBe(trainer.RunState.SUCCEEDED);

    const scrape = async ({ metricsUrl }: { metricsUrl: string }) =>
      await (await fetch(metricsUrl)).text();
    const [ofPolicy, ofReward, ofWorker, ofTrainer] = await Promise.all(
      [policyServer, rewardServer, worker, trainerServer].map(scrape),
    );
    expect(ofPolicy).toMatch(/stagecraft_policy_tokens_total\{phase="generated",.*\} [1-9]/);
    expect(ofReward).toMatch(/stagecraft_reward_items_total\{.*\} 3\n/);
    expect(ofWorker).toMatch(/stagecraft_rollout_tasks_total\{outcome="published",.*\} 3\n/);
    expect(ofWorker).toMatch(/rpc_client_calls_total\{method=".*GenerateBatch",code="ok",.*\} 3\n/);
    expect(ofTrainer).toMatch(/stagecraft_trainer_step\{.*\} 1\n/);
    expect(ofTrainer).toMatch(/stagecraft_trainer_rollouts_total\{outcome="accepted",.*\} 3\n/);
    for (const text of [ofPolicy, ofReward, ofTrainer]) {
      expect(text).toMatch(/stagecraft_busy_seconds_total\{.*\} (0\.0*)?[1-9]/);
    }

    for (const process of [trainerServer, worker, rewardServer, policyServer]) {
      await process.kill("SIGTERM");
      expect(await process.exited, process.output()).toBe(0);
    }
    const step = collector.spans.find(({ name }) => name === "optimizer step");
    const ofStep = collector.spans.filter(({ traceId }) => traceId === step!.traceId);
    const seen = new Set(ofStep.map(({ service, name }) => `${service}: ${name}`));
    expect([...seen].sort()).toEqual([
      "policy: stagecraft.policy.v1.PolicyService/GenerateBatch",
      "reward-model: stagecraft.reward.v1.RewardService/ScoreBatch",
      "rollout: publish rollout",
      "rollout: rollout",
      "rollout: stagecraft.policy.v1.PolicyService/GenerateBatch",
      "rollout: stagecraft.reward.v1.RewardService/ScoreBatch",
      "trainer: optimizer step",
      "trainer: ppo batch",
      "trainer: prompt task",
      "trainer: rollout arrived",
    ]);
    const lines = worker.logged().filter(({ msg }) => msg === "rollout is published");
    expect(lines).toHaveLength(NUM_TASKS);
    for (const { runId, taskId, rolloutId } of lines) {
      expect([runId, rolloutId]).toEqual(["r1", `${String(taskId)}/rollout`]);
    }
    for (const process of [trainerServer, worker, rewardServer, policyServer]) {
      expect(process.output()).not.toContain(TOKEN);
      expect(process.output()).not.toMatch(/-pw"/);
    }
  }, 180_000);
});
