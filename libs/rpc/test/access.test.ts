import { readFile } from "node:fs/promises";
import { policy, reward } from "@stagecraft/contracts";
import { createMetrics } from "@stagecraft/telemetry";
import { makeCertificates, tempDir, waitFor } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { createRpcClient, createRpcServer, type RpcServerOptions } from "@stagecraft/rpc";
import { createCallQuotas } from "../src/call-quotas.js";
import { createCallers } from "../src/callers.js";
import { echoClient, startEcho } from "./echo-service.js";

const SCORER = "scorer-secret-0001";
const LOADER = "loader-secret-0002";
const ROOT = "root-secret-000003";
const tokens = [`worker=score+generate:${SCORER}`, `load-weights:${LOADER}`, ROOT];

/** A policy server whose handlers only say that they ran. */
async function startPolicy(options: RpcServerOptions) {
  const handled: string[] = [];
  const say =
    <T>(name: string, message: { fromPartial(fields: object): T }) =>
    async (_: unknown, { caller }: { caller: { name: string } }) => {
      handled.push(`${name} by ${caller.name}`);
      return message.fromPartial({});
    };
  const server = createRpcServer(options);
  server.addService(policy.PolicyServiceService, {
    // eslint-disable-next-line require-yield
    async *generate() {
      handled.push("generate");
    },
    generateBatch: say("generateBatch", policy.GenerateBatchResponse),
    scoreLogProbs: say("scoreLogProbs", policy.ScoreLogProbsResponse),
    getModelInfo: say("getModelInfo", policy.GetModelInfoResponse),
    getStatus: say("getStatus", policy.GetStatusResponse),
    loadWeights: say("loadWeights", policy.LoadWeightsResponse),
  });
  const { port } = await server.start();
  return { handled, port, server, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

const policyClient = (port: number, more: object) =>
  createRpcClient(policy.PolicyServiceClient, `127.0.0.1:${port}`, more);
const load = policy.LoadWeightsRequest.fromPartial({ weights: { version: 3 } });

describe("roles", () => {
  it("of a token decide what its bearer may call; a plain token may everything", async () => {
    await using up = await startPolicy({ auth: { tokens } });
    await using worker = policyClient(up.port, { token: SCORER });
    await worker.generateBatch(policy.GenerateBatchRequest.fromPartial({}));
    await expect(worker.loadWeights(load)).rejects.toMatchObject({
      code: "permission_denied",
      message: expect.stringMatching(
        /LoadWeights asks for the role load-weights or admin/,
      ) as string,
    });
    await using loader = policyClient(up.port, { token: LOADER });
    await loader.loadWeights(load);
    await using root = policyClient(up.port, { token: ROOT });
    await root.loadWeights(load);
    await using whole = policyClient(up.port, { token: tokens[0] });
    await expect(whole.getStatus({})).rejects.toMatchObject({ code: "unauthenticated" });
    expect(up.handled).toEqual([
      "generateBatch by worker",
      "loadWeights by token-2",
      "loadWeights by token-3",
    ]);
  });

  it("of a client certificate decide what its holder may call", async () => {
    await using dir = await tempDir();
    makeCertificates(dir.path);
    const at = (name: string) => `${dir.path}/${name}`;
    const serverTls = {
      ...{ certFile: at("server.crt"), keyFile: at("server.key"), clientCaFile: at("ca.crt") },
    };
    const tls = { caFile: at("ca.crt"), certFile: at("client.crt"), keyFile: at("client.key") };
    const knock = async (auth: RpcServerOptions["auth"], token?: string) => {
      await using up = await startPolicy({ tls: serverTls, auth });
      await using client = policyClient(up.port, { tls, token });
      const call = (work: Promise<unknown>) =>
        work.then(
          () => "ok",
          (error: { code: string }) => error.code,
        );
      return [await call(client.getStatus({})), await call(client.loadWeights(load))].join();
    };
    expect(await knock(undefined)).toBe("ok,ok");
    expect(await knock({ certRoles: ["rollout=observe"] })).toBe("ok,permission_denied");
    expect(await knock({ certRoles: ["rollout=admin"] })).toBe("ok,ok");
    expect(await knock({ certRoles: ["other=admin"] })).toBe("unauthenticated,unauthenticated");
    const both = { tokens, certRoles: ["rollout=observe"] };
    expect(await knock(both)).toBe("ok,permission_denied");
    expect(await knock(both, LOADER)).toBe("ok,ok");
    expect(await knock(both, "a-wrong-token-0000")).toBe("unauthenticated,unauthenticated");
    expect(await knock({ tokens })).toBe("unauthenticated,unauthenticated");
  });

  it("that do not exist, short tokens and empty lists are refused at the start", () => {
    for (const auth of [
      ...[{}, { tokens: [] }, { tokens: ["score:short"] }, { certRoles: ["x=fly"] }],
      ...[{ certRoles: ["score"] }, { tokens: [`bob=scroe:${SCORER}`] }],
    ]) {
      expect(() => createCallers(auth)).toThrow("auth.");
    }
    const shown = { authorization: `Bearer user:${ROOT}`, commonName: undefined };
    const old = createCallers({ tokens: [`user:${ROOT}`] }).identify(shown);
    expect(old.roles.has("admin")).toBe(true); // a token that happens to hold a colon
  });
});

describe("beyond loopback", () => {
  it("a server that would answer everybody does not start, and says how it would", () => {
    const open = { host: "0.0.0.0", allowPlaintext: true };
    expect(() => createRpcServer(open)).toThrow(/--tokens[\s\S]*--tls-client-ca/);
    createRpcServer({ ...open, auth: { tokens } });
  });
});

describe("the audit log", () => {
  it("says who changed what and what came of it, without tokens, refusals included", async () => {
    await using dir = await tempDir();
    const auditFile = `${dir.path}/audit.jsonl`;
    await using up = await startPolicy({ auth: { tokens }, auditFile });
    await using worker = policyClient(up.port, { token: SCORER });
    await worker.getStatus({});
    await expect(worker.loadWeights(load)).rejects.toThrow("permission_denied");
    await using loader = policyClient(up.port, { token: LOADER });
    await loader.loadWeights(load);
    const read = async () => (await readFile(auditFile, "utf8")).trim().split("\n");
    await waitFor(async () => (await read()).length >= 3);
    const text = await read();
    const lines = text.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines).toMatchObject([
      { event: "refused", caller: "worker", method: expect.stringMatching(/LoadWeights$/) },
      { event: "asked", caller: "token-2", request: { weights: expect.stringContaining("3") } },
      { event: "done", caller: "token-2", code: "OK" },
    ]);
    expect(lines[1]!["callId"]).toBe(lines[2]!["callId"]);
    expect(text.join()).not.toMatch(/secret/);
  });

  it("that cannot be written lets nothing happen", async () => {
    await using up = await startPolicy({ auditFile: "/nowhere/audit.jsonl" });
    await using client = policyClient(up.port, {});
    await expect(client.loadWeights(load)).rejects.toThrow("audit log cannot be written");
    expect(up.handled).toEqual([]);
  });
});

describe("quotas of calls", () => {
  it("refuse what a client calls beyond them, count it, and leave the others alone", async () => {
    const metrics = createMetrics({ service: "t" });
    const auth = { tokens: ["a=admin:secret-of-a-00000", "b=admin:secret-of-b-00000"] };
    await using echo = await startEcho({}, { server: { auth, metrics, callQuotas: { Say: 3 } } });
    await using a = echoClient(echo.port, { token: "secret-of-a-00000" });
    await using b = echoClient(echo.port, { token: "secret-of-b-00000" });
    for (let i = 0; i < 3; i++) await a.say({ text: "" });
    await expect(a.say({ text: "" })).rejects.toMatchObject({
      code: "resource_exhausted",
      details: { quota: 3 },
    });
    expect(await b.say({ text: "hi" })).toEqual({ text: "hi" });
    for await (const _ of a.repeat({ text: "" }));
    const text = await metrics.text();
    expect(text).toMatch(/rpc_server_refusals_total\{method=".*Say",reason="quota",.*\} 1\n/);
  });

  it("come back with time, and idle clients are forgotten", () => {
    let now = 0;
    const quotas = createCallQuotas({ M: 2 }, () => now);
    const take = (client: string) => quotas.take(client, "/s/M");
    take("a");
    take("a");
    expect(() => take("a")).toThrow("try again in 30 s");
    now = 30_000;
    take("a");
    expect(() => take("a")).toThrow("[resource_exhausted]");
    for (let i = 0; i < 20_000; i++) {
      now += 10;
      take(`client-${i}`);
    }
    quotas.take("a", "/s/Other");
  });
});

// A service of another kind of call is asked for its own role.
describe("ScoreStream", () => {
  it("is refused before a message is read", async () => {
    await using server = createRpcServer({ auth: { tokens: [`observe:${LOADER}`] } });
    let numStarted = 0;
    server.addService(reward.RewardServiceService, {
      scoreBatch: () => Promise.reject(new Error("never")),
      // eslint-disable-next-line require-yield
      async *scoreStream() {
        numStarted++;
      },
      getModelInfo: () => Promise.reject(new Error("never")),
      listModels: () => ({ models: [] }),
    });
    const { port } = await server.start();
    await using client = createRpcClient(reward.RewardServiceClient, `127.0.0.1:${port}`, {
      token: LOADER,
    });
    expect(await client.listModels({})).toEqual({ models: [] });
    const answers = client.scoreStream((async function* () {})());
    const read = async () => {
      for await (const _ of answers);
    };
    await expect(read()).rejects.toMatchObject({ code: "permission_denied" });
    expect(numStarted).toBe(0);
  });
});
