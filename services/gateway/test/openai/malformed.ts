import { createRandom, type Random } from "@stagecraft/core";

/** A request that is wrong for sure. */
export interface Malformed {
  what: string;
  method: string;
  path: string;
  headers: Record<string, string>;
  body: Buffer | undefined;
}

const JSON_TYPE = { "content-type": "application/json" };

type Fields = Record<string, unknown>;
const BASES: readonly [string, Fields][] = [
  ["/v1/chat/completions", { model: "m", messages: [{ role: "user", content: "Hi" }] }],
  ["/v1/completions", { model: "m", prompt: "Hi" }],
  ["/v1/score", { model: "r", input: "Hi" }],
  ["/get_reward", { query: ["Hi"] }],
  ["/classify", { model: "r", input: "Hi" }],
  ["/v1/embeddings", { model: "r", input: "Hi" }],
];

/** For every field that any request has, values that none of them takes. */
const WRONG: Readonly<Record<string, readonly unknown[]>> = {
  model: [0, "", [], {}, true, "no such model", "x".repeat(600), "\u0000", "../../etc/passwd"],
  messages: ["Hi", [], {}, [[]], ["Hi"], [{}], [{ role: "user" }], [{ content: "" }], 7],
  prompt: [7, {}, [], [[]], [1.5], [-1], [["a"]], [1, "a"], [2 ** 40], true],
  query: ["Hi", [], [7], {}, [""]],
  input: [7, {}, [], [7], ""],
  temperature: [-1, "1", 1e9, {}, [], 1e-9],
  top_p: [0, 1.1, "1", -1],
  n: [0, -1, 1.5, 1e6, "2"],
  seed: [-1, 0.5, 2 ** 60, "7"],
  max_tokens: [-1, 0.5, "9", {}],
  stop: [7, [""], [7], {}, Array.from({ length: 65 }, () => "x")],
  stream: ["yes", 1, {}],
  logit_bias: [7, [], { a: 1 }, { 7: 101 }, { 7: "1" }, { "-1": 1 }],
  frequency_penalty: [3, "1", -2.1],
  presence_penalty: [3, {}, "x"],
  stream_options: [{ include_usage: true }, 7, { other: 1 }],
  top_logprobs: [-1, 21, "2"],
  tools: [[], [{}], "x"],
  response_format: [{ type: "json_object" }, "text", {}],
  ["__proto__x"]: [1, { a: 1 }],
  [" "]: [1],
  user: [7, {}, "x".repeat(600)],
};

type Spoil = (random: Random, base: readonly [string, Fields]) => Omit<Malformed, "method">;

const ofBody = (what: string, path: string, body: string | Buffer) => ({
  what,
  path,
  headers: JSON_TYPE,
  body: Buffer.from(body),
});

const SPOILS: readonly Spoil[] = [
  function wrongValue(random, [path, fields]) {
    const name = random.pick(Object.keys(WRONG));
    const value = random.pick(WRONG[name]!);
    return ofBody(
      `${name}: ${JSON.stringify(value)}`,
      path,
      JSON.stringify({ ...fields, [name]: value }),
    );
  },
  function unknownField(random, [path, fields]) {
    const name = `f${random.nextInt(2 ** 31).toString(36)}`;
    return ofBody("an unknown field", path, JSON.stringify({ ...fields, [name]: 1 }));
  },
  function missingField(random, [path, fields]) {
    const name = random.pick(Object.keys(fields));
    return ofBody(`no ${name}`, path, JSON.stringify({ ...fields, [name]: undefined }));
  },
  function cutJson(random, [path, fields]) {
    const text = JSON.stringify(fields);
    return ofBody("cut", path, text.slice(0, random.nextInt(text.length)));
  },
  function noObject(random, [path]) {
    return ofBody("no object", path, random.pick(["[]", "7", '"x"', "null", "true", "[[[]]]"]));
  },
  function garbage(random, [path]) {
    const bytes = Buffer.from(
      Array.from({ length: 1 + random.nextInt(200) }, () => random.nextInt(256)),
    );
    bytes[0] = 0xff; // no JSON begins so
    return ofBody("garbage", path, bytes);
  },
  function deep(random, [path, fields]) {
    const depth = 1000 + random.nextInt(4000);
    const nested = `${"[".repeat(depth)}${"]".repeat(depth)}`;
    const text = JSON.stringify({ ...fields, extra: 0 }).replace('"extra":0', `"extra":${nested}`);
    return ofBody("nested deeply", path, text);
  },
  function poisoned(_, [path, fields]) {
    const text = JSON.stringify({ ...fields, extra: 0 }).replace(
      '"extra":0',
      '"__proto__":{"a":1}',
    );
    return ofBody("a prototype", path, text);
  },
  function wrongType(random, [path, fields]) {
    const type = random.pick(["text/plain", "application/xml", "multipart/form-data", "x"]);
    const body = Buffer.from(JSON.stringify(fields));
    return { what: `content-type ${type}`, path, headers: { "content-type": type }, body };
  },
  function noBody(_, [path]) {
    return { what: "no body", path, headers: JSON_TYPE, body: undefined };
  },
  function wrongPath(random, [path, fields]) {
    const tail = random.pick(["/", "x", "/..%2f", "%00", "//", `/${"y".repeat(3000)}`]);
    return ofBody("no such path", `${path}${tail}`, JSON.stringify(fields));
  },
];

/** As many of them as wanted, the same for a seed. */
export function* malformedRequests(count: number, seed: number): Generator<Malformed> {
  const random = createRandom(seed);
  for (let i = 0; i < count; i++) {
    const spoil = SPOILS[i % SPOILS.length]!;
    const base = BASES[Math.floor(i / SPOILS.length) % BASES.length]!;
    const method = i % 101 === 100 ? random.pick(["PUT", "DELETE", "PATCH"]) : "POST";
    yield { method, ...spoil(random, base) };
  }
}
