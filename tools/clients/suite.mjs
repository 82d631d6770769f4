// The official Node client against the API: suite.mjs OPENAI_ENTRY URL KEY MODEL
import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";

const [entry = "", url, apiKey, model] = process.argv.slice(2);
const { default: OpenAI } = await import(pathToFileURL(entry).href);
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 });
const messages = [{ role: "user", content: "Where is the fox?" }];
const ask = { model, messages, max_tokens: 24, seed: 7 };
const chat = (change = {}, options = {}) =>
  client.chat.completions.create({ ...ask, ...change }, options);
/** Of the client's answers, whose types are not here. @typedef {any} Answer */

/** @param {Answer} answer */
const textOf = (answer) => answer.choices[0].message.content;

/** @param {Answer} choice @returns {string} */
const textOfChoice = (choice) => choice.message.content;

/** @param {AsyncIterable<Answer>} stream */
async function textOfStream(stream) {
  let text = "";
  for await (const { choices } of stream) text += choices[0]?.delta?.content ?? "";
  return text;
}

const TESTS = {
  async "lists its models"() {
    const { data } = await client.models.list();
    assert.deepEqual(
      data.map((/** @type {Answer} */ each) => each.id),
      [model],
    );
    assert.equal((await client.models.retrieve(model)).object, "model");
  },
  async "chats, with usage and fingerprint"() {
    const answer = await chat();
    assert.equal(answer.object, "chat.completion");
    assert.equal(answer.choices[0].message.role, "assistant");
    assert.ok(["stop", "length"].includes(answer.choices[0].finish_reason));
    const { prompt_tokens, completion_tokens, total_tokens } = answer.usage;
    assert.equal(prompt_tokens + completion_tokens, total_tokens);
    assert.match(answer.system_fingerprint, /^v0/);
    assert.ok(answer._request_id.startsWith("req_"));
  },
  async "streams what it answers at once"() {
    const whole = textOf(await chat());
    assert.equal(await textOfStream(await chat({ stream: true })), whole);
  },
  async "tells the usage at the end of a stream"() {
    const chunks = [];
    const stream_options = { include_usage: true };
    for await (const chunk of await chat({ stream: true, stream_options })) chunks.push(chunk);
    assert.deepEqual(chunks.at(-1).choices, []);
    assert.deepEqual(chunks.at(-1).usage, (await chat()).usage);
  },
  async "helps itself with the client's stream helper"() {
    const runner = client.chat.completions.stream({ ...ask });
    assert.equal(await runner.finalContent(), textOf(await chat()));
  },
  async "gives n answers, the first that of n = 1"() {
    const { choices } = await chat({ n: 3 });
    assert.deepEqual(
      choices.map((/** @type {Answer} */ each) => each.index),
      [0, 1, 2],
    );
    assert.equal(choices[0].message.content, textOf(await chat()));
    assert.ok(new Set(choices.map(textOfChoice)).size > 1);
    const texts = ["", "", ""];
    for await (const { choices } of await chat({ n: 3, stream: true })) {
      for (const { index, delta } of choices) texts[index] += delta.content ?? "";
    }
    assert.deepEqual(texts, choices.map(textOfChoice));
  },
  async "stops before a stop text"() {
    // The first answer that is long enough to be stopped in the middle.
    let [seed, whole] = [0, textOf(await chat({ seed: 0 }))];
    while (whole.length < 8 && seed < 50) whole = textOf(await chat({ seed: ++seed }));
    const stop = whole.slice(5, 8);
    const expected = whole.slice(0, whole.indexOf(stop));
    const answer = await chat({ seed, stop: [stop] });
    assert.equal(textOf(answer), expected);
    assert.equal(answer.choices[0].finish_reason, "stop");
    assert.equal(await textOfStream(await chat({ seed, stop, stream: true })), expected);
  },
  async "answers the same for a seed, other things for others"() {
    const answers = await Promise.all([7, 7, 8].map((seed) => chat({ seed })));
    const [first, again, other] = answers.map(textOf);
    assert.equal(first, again);
    assert.notEqual(first, other);
  },
  async "tells log-probs, and the likeliest first at temperature 0"() {
    const { choices } = await chat({ temperature: 0, logprobs: true, top_logprobs: 3 });
    const { content } = choices[0].logprobs;
    assert.equal(textOf(await chat({ temperature: 0 })), choices[0].message.content);
    for (const { token, logprob, top_logprobs: top } of content) {
      assert.equal(top.length, 3);
      assert.equal(top[0].token, token);
      assert.equal(top[0].logprob, logprob);
      assert.ok(logprob <= 0 && top[1].logprob <= logprob);
    }
  },
  async "completes texts, and echoes them with log-probs"() {
    const how = { model, prompt: ["The fox", "The owl"], max_tokens: 4, echo: true, logprobs: 2 };
    const { choices } = await client.completions.create(how);
    for (const { index, text, logprobs } of choices) {
      assert.ok(text.startsWith(how.prompt[index]));
      assert.equal(logprobs.tokens.length, logprobs.token_logprobs.length);
      assert.equal(logprobs.tokens.slice(0, 7).join(""), how.prompt[index]);
    }
  },
  async "bans a token by its bias"() {
    const { choices } = await client.completions.create({
      ...{ model, prompt: "The fox", max_tokens: 30, temperature: 0, seed: 1, logprobs: 1 },
    });
    const most = choices[0].text[0];
    const tried = await Promise.all(
      Array.from({ length: 30 }, (_, id) =>
        client.completions.create({
          ...{
            model,
            prompt: "The fox",
            max_tokens: 1,
            temperature: 0,
            logit_bias: { [id]: -100 },
          },
        }),
      ),
    );
    assert.ok(tried.some((answer) => answer.choices[0].text !== most));
  },
  async "raises the client's own errors"() {
    const stranger = new OpenAI({ baseURL: `${url}/v1`, apiKey: "wrong", maxRetries: 0 });
    await assert.rejects(stranger.models.list(), OpenAI.AuthenticationError);
    await assert.rejects(chat({ model: "none" }), OpenAI.NotFoundError);
    await assert.rejects(chat({ temperature: -1 }), { status: 400, param: "temperature" });
    const tools = [{ type: "function", function: { name: "f" } }];
    await assert.rejects(chat({ tools }), { status: 400, code: "unsupported_parameter" });
    const long = [{ role: "user", content: "fox ".repeat(1000) }];
    await assert.rejects(chat({ messages: long }), { code: "context_length_exceeded" });
  },
  async "frees the place of a stream that is broken off"() {
    for (let i = 0; i < 20; i++) {
      const stream = await chat({ stream: true, max_tokens: 200, n: 2 });
      for await (const _ of stream) break;
      stream.controller.abort();
    }
    assert.ok(textOf(await chat()).length > 0);
    const gone = new AbortController();
    const asked = chat({ max_tokens: 200 }, { signal: gone.signal });
    gone.abort();
    await assert.rejects(asked, OpenAI.APIUserAbortError);
  },
};

let failed = 0;
for (const [name, test] of Object.entries(TESTS)) {
  try {
    await test();
    console.log(`  ✔ ${name}`);
  } catch (error) {
    failed++;
    console.log(`  ✘ ${name}\n${error instanceof Error ? error.stack : error}`);
  }
}
console.log(`${Object.keys(TESTS).length - failed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
