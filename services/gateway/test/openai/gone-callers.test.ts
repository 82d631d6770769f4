import { once } from "node:events";
import { request } from "node:http";
import fastify from "fastify";
import { describe, expect, it } from "vitest";
import { fixedModels } from "../../src/openai/index.js";
import { openAiApi } from "../../src/openai/plugin.js";
import { backendOf, CHAT, END, piece } from "./rig.js";

describe("a caller who has left while his key was looked up", () => {
  it("holds none of the key's places, and nothing is generated for him", async () => {
    const generated: boolean[] = [];
    const backend = backendOf(async function* (_, signal) {
      generated.push(!signal.aborted);
      signal.throwIfAborted();
      yield piece("hi", END);
    });
    let isFirst = true;
    let hasLeft: Promise<unknown> = Promise.resolve();
    const app = fastify();
    app.addHook("onRequest", async (_, reply) => {
      if (isFirst) hasLeft = once(reply.raw, "close");
    });
    const authenticate = async () => {
      const [mine, waits] = [hasLeft, isFirst];
      isFirst = false;
      if (waits) {
        sent.destroy();
        await mine;
      }
      return { name: "one place", limits: { concurrent: 1 } };
    };
    const models = fixedModels({ m: backend });
    await app.register(openAiApi, { models, authenticate });
    const url = await app.listen({ port: 0, host: "127.0.0.1" });
    const headers = { "content-type": "application/json" };
    const sent = request(`${url}/v1/chat/completions`, { method: "POST", headers });
    try {
      const left = new Promise((resolve) => sent.on("error", resolve));
      sent.end(JSON.stringify(CHAT));
      await left;
      await hasLeft;
      expect((await fetch(`${url}/v1/models`)).status).toBe(200);
      expect(generated).not.toContain(true);
    } finally {
      await app.close();
    }
  });
});
