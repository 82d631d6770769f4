import { trainBpe, type ChosenTemplate } from "@stagecraft/tokenizer";
import { expect, it } from "vitest";
import { serveModel, type Serving } from "../../src/serve/serve-model.js";
import { makeBase, openWorkshop } from "./case-kit.js";

const MESSAGES = [
  { role: "user", content: "Hi" },
  { role: "assistant", content: "Yo" },
];

/** What a served model answers to a request. */
async function ask(dir: string, chat: ChosenTemplate, path: string, more: object) {
  const stop = new AbortController();
  let onServing = (_: Serving) => {};
  const served = new Promise<Serving>((resolve) => (onServing = resolve));
  const ended = serveModel(
    {
      ...{ dir, name: "m", chat, host: "127.0.0.1", port: 0, apiKeys: [], graceMs: 100 },
      ...{ engine: { engine: "native", threads: 1 }, maxActive: 2, maxQueued: 2 },
      signal: stop.signal,
    },
    (serving) => onServing(serving),
  );
  const failed = ended.then(() => Promise.reject(new Error("ended")));
  const { url } = await Promise.race([served, failed]);
  const body = JSON.stringify({ model: "m", ...more });
  const headers = { "content-type": "application/json" };
  const answer = await fetch(`${url}${path}`, { method: "POST", headers, body });
  const json = (await answer.json()) as Record<string, never>;
  stop.abort();
  await Promise.allSettled([ended, failed]);
  return { status: answer.status, json };
}

it("a model without a chat template is served with one that is given, to answer and to score", async () => {
  await using workshop = await openWorkshop();
  const tokenizer = await trainBpe(["a"], { vocabSize: 257, specialTokens: ["<eos>"] });
  const config = JSON.stringify({ eos_token: "<eos>" });
  const tokenizerFiles = { ...tokenizer.files(), "tokenizer_config.json": config };
  const how = { tokenizerFiles, vocabSize: 257 };
  const template = "{% for m in messages %}{{ m.content }}{{ eos_token }}{% endfor %}";
  const chatTemplate = await workshop.write("own.jinja", template);
  const base = await makeBase(workshop.path("base"), how);
  const chat = { messages: MESSAGES.slice(0, 1), max_tokens: 2 };
  const path = "/v1/chat/completions";
  expect((await ask(base, {}, path, chat)).status).not.toBe(200);
  const { status, json } = await ask(base, { chatTemplate }, path, chat);
  expect(status).toBe(200);
  expect(json["usage"]).toMatchObject({ prompt_tokens: 3 }); // H, i, <eos>
  await expect(ask(base, { chatTemplate: "chatml" }, path, chat)).rejects.toThrow(
    "needs 2 tokens that",
  );
  const judge = await makeBase(workshop.path("judge"), { ...how, heads: ["score"] });
  const scored = await ask(judge, { chatTemplate }, "/v1/score", { messages: MESSAGES });
  expect(scored.status).toBe(200);
});
