import { policy } from "@stagecraft/contracts";
import { createRpcClient, createRpcServer } from "@stagecraft/rpc";
import { waitFor } from "@stagecraft/testing";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { fixedModels } from "../src/openai/index.js";
import type { ApiKeyCreated, ApiKeys, CreateApiKey } from "../src/http/api/index.js";
import type { HttpServerOptions } from "../src/http/server.js";
import type { Database } from "../src/store/database.js";
import { emptyDatabase, openTestDatabase } from "./databases.js";
import { testServer } from "./http-kit.js";
import { CHAT, END, piece, ruler } from "./openai/rig.js";

let database: Database;
beforeAll(async () => {
  database = await openTestDatabase();
});
beforeEach(() => emptyDatabase(database.db));
afterAll(() => database.close());

type Generate = Parameters<typeof policyServer>[0];

/** A policy service that answers as it is told, on a socket. */
async function policyServer(
  answer: (signal: AbortSignal) => AsyncIterable<policy.GenerateResponse>,
) {
  const server = createRpcServer();
  const names = Object.keys(policy.PolicyServiceService);
  const rest = names.map((name) => [name, () => Promise.reject(new Error("not asked here"))]);
  server.addService(policy.PolicyServiceService, {
    ...Object.fromEntries(rest),
    generate: (_: unknown, { signal }: { signal: AbortSignal }) => answer(signal),
    getModelInfo: () => Promise.resolve({ info: undefined }),
  } as never);
  return { server, address: `127.0.0.1:${(await server.start()).port}` };
}

const says = (text: string): Generate =>
  async function* () {
    yield piece(text, END);
  };

/** The gateway in front of policy services: `m` with these replicas. */
async function gateway(replicas: Generate[], options: Partial<HttpServerOptions> = {}) {
  const servers = await Promise.all(replicas.map(policyServer));
  const address = servers.map((each) => each.address).join(",");
  const client = createRpcClient(policy.PolicyServiceClient, address);
  const models = fixedModels({ m: client, "m-old": client }, { r: ruler });
  const { server, signIn } = await testServer(database, { models, graceMs: 0, ...options });
  const { port } = await server.start();
  const call = (path: string, { key, body, ...init }: Omit<RequestInit, "body"> & Ask = {}) =>
    fetch(`http://127.0.0.1:${port}${path}`, {
      ...(body !== undefined && { method: "POST", body: JSON.stringify(body) }),
      headers: {
        "content-type": "application/json",
        ...(key !== undefined && { authorization: `Bearer ${key}` }),
      },
      ...init,
    });
  return {
    ...{ call, signIn },
    async [Symbol.asyncDispose]() {
      await server.close();
      client.close();
      for (const each of servers) await each.server.drain(0);
    },
  };
}

interface Ask {
  key?: string;
  body?: unknown;
}

const KEY: CreateApiKey = {
  ...{ name: "script", scopes: ["generate"] },
  ...{ requestsPerMinute: null, tokensPerMinute: null, concurrent: null },
};
const CHATS = "/v1/chat/completions";
const errorOf = async (response: Response) => {
  const { error } = (await response.json()) as { error: { code: string; message: string } };
  return [response.status, error.code];
};

describe("OpenAI's API on the gateway", () => {
  it("spreads calls over the replicas of a model and knows models by their names", async () => {
    await using rig = await gateway([says("one"), says("two")]);
    const texts = new Set<string>();
    await waitFor(async () => {
      const answer = await (await rig.call(CHATS, { body: CHAT })).json();
      texts.add((answer as Said).choices[0]!.message.content);
      return texts.size === 2;
    });
    const old = await rig.call(CHATS, { body: { ...CHAT, model: "m-old" } });
    expect(old.status).toBe(200);
    const { data } = (await (await rig.call("/v1/models")).json()) as { data: { id: string }[] };
    expect(data.map(({ id }) => id)).toEqual(["m", "m-old", "r"]);
    const unknown = await rig.call(CHATS, { body: { ...CHAT, model: "nobody" } });
    expect(await errorOf(unknown)).toEqual([404, "model_not_found"]);
  });

  it("streams as the policy says it, and lets the policy know when the reader leaves", async () => {
    let isStopped = false;
    const endless: Generate = async function* (signal) {
      signal.addEventListener("abort", () => (isStopped = true));
      yield piece("first");
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      throw signal.reason;
    };
    await using rig = await gateway([endless]);
    const reader = new AbortController();
    const body = { ...CHAT, stream: true };
    const response = await rig.call(CHATS, { body, signal: reader.signal });
    const first = await response.body!.getReader().read();
    expect(new TextDecoder().decode(first.value)).toContain(`"content":"first"`);
    expect(isStopped).toBe(false);
    reader.abort();
    await waitFor(() => isStopped);
  });

  it("is open without a key on this machine alone, and as long as there is none", async () => {
    await using rig = await gateway([says("hi")]);
    expect((await rig.call(CHATS, { body: CHAT })).status).toBe(200);
    expect((await rig.call(CHATS, { body: CHAT, key: "none" })).status).toBe(200);
    const admin = await rig.signIn("Ada", "admin");
    const { body } = await admin.call<ApiKeyCreated>("POST", "/api/operator/keys", KEY);
    expect((await rig.call(CHATS, { body: CHAT, key: body.secret })).status).toBe(200);
    for (const key of [undefined, "none", body.key.prefix]) {
      const response = await rig.call(CHATS, { body: CHAT, ...(key && { key }) });
      expect(await errorOf(response)).toEqual([401, "invalid_api_key"]);
    }
  });

  it("asks for a key where a proxy leads here, though there is none", async () => {
    const publicUrl = "https://rank.example.org";
    await using rig = await gateway([says("hi")], { publicUrl });
    expect(await errorOf(await rig.call("/v1/models"))).toEqual([401, "invalid_api_key"]);
  });

  it("refuses what a key is not for, and more than its limits, saying when to come back", async () => {
    await using rig = await gateway([says("hi")]);
    const admin = await rig.signIn("Ada", "admin");
    const make = async (name: string, change: Partial<CreateApiKey>) => {
      const given = { ...KEY, name, ...change };
      return (await admin.call<ApiKeyCreated>("POST", "/api/operator/keys", given)).body.secret;
    };
    const score = { model: "r", input: "abc" };
    const scorer = await make("scorer", { scopes: ["score"] });
    expect((await rig.call("/v1/score", { body: score, key: scorer })).status).toBe(200);
    const asked = await rig.call(CHATS, { body: CHAT, key: scorer });
    expect(await errorOf(asked)).toEqual([403, "permission_denied"]);
    const slow = await make("slow", { requestsPerMinute: 1 });
    expect((await rig.call(CHATS, { body: CHAT, key: slow })).status).toBe(200);
    const second = await rig.call(CHATS, { body: CHAT, key: slow });
    expect(Number(second.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(await errorOf(second)).toEqual([429, "rate_limit_exceeded"]);
  });
});

describe("keys", () => {
  it("are made and ended by admins, shown once, kept as a hash, and written down", async () => {
    await using rig = await gateway([says("hi")]);
    const admin = await rig.signIn("Ada", "admin");
    const operator = await rig.signIn("Olga", "operator");
    expect(await operator.call("POST", "/api/operator/keys", KEY)).toMatchObject({ status: 403 });
    const made = await admin.call<ApiKeyCreated>("POST", "/api/operator/keys", KEY);
    const { key, secret } = made.body;
    expect(await admin.call("POST", "/api/operator/keys", KEY)).toMatchObject({ status: 409 });
    await rig.call("/v1/models", { key: secret });
    const { body } = await admin.call<ApiKeys>("GET", "/api/operator/keys");
    expect(body.keys).toMatchObject([{ ...KEY, keyId: key.keyId, prefix: secret.slice(0, 8) }]);
    expect(body.keys[0]!.lastUsedAt).not.toBeNull();
    const stored = [
      await database.db.selectFrom("api_keys").selectAll().execute(),
      await database.db.selectFrom("audit").selectAll().execute(),
    ];
    expect(JSON.stringify([body, stored])).not.toContain(secret);
    await admin.call("POST", "/api/operator/keys", { ...KEY, name: "other" });
    await admin.call("DELETE", `/api/operator/keys/${key.keyId}`);
    expect((await rig.call("/v1/models", { key: secret })).status).toBe(401);
    const notes = stored[1] as { action: string }[];
    expect(notes.map(({ action }) => action)).toContain("key.create");
  });
});

interface Said {
  choices: { message: { content: string } }[];
}
