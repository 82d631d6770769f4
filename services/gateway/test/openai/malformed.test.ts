import { connect } from "node:net";
import { request as httpRequest, Agent, type IncomingMessage } from "node:http";
import { describe, expect, it } from "vitest";
import { CHAT, serve } from "./rig.js";
import { malformedRequests, type Malformed } from "./malformed.js";

/** More by `npm run test:clients -- malformed`. */
const COUNT = Number(process.env["MALFORMED_COUNT"] ?? 330);
const SEED = Number(process.env["MALFORMED_SEED"] ?? 1);

function send(
  url: string,
  wrong: Malformed,
  agent: Agent,
): Promise<{ status: number; body: string }> {
  const { hostname, port } = new URL(url);
  const { method, path, headers } = wrong;
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ agent, hostname, port, method, path, headers }, (response) =>
      resolve(wholeOf(response)),
    );
    sent.on("error", reject);
    sent.end(wrong.body);
  });
}

async function wholeOf(response: IncomingMessage) {
  let body = "";
  for await (const part of response.setEncoding("utf8")) body += part;
  return { status: response.statusCode!, body };
}

function sendRaw(url: string, text: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    let answer = "";
    const socket = connect(Number(port), hostname, () => socket.end(text));
    socket.setEncoding("utf8").on("data", (part: string) => (answer += part));
    socket.on("close", () => resolve(answer)).on("error", reject);
  });
}

/** What an error must look like; undefined when it does. */
function misshape(body: string): string | undefined {
  try {
    const { error, ...rest } = JSON.parse(body) as { error: Record<string, unknown> };
    const keys = Object.keys(error).sort().join();
    if (Object.keys(rest).length > 0 || keys !== "code,message,param,type") return `keys ${keys}`;
    const isText = ["message", "type", "code"].every((key) => typeof error[key] === "string");
    const isNamed = error["param"] === null || typeof error["param"] === "string";
    return isText && isNamed && error["message"] !== "" ? undefined : "fields of other types";
  } catch {
    return `no JSON: ${body.slice(0, 100)}`;
  }
}

describe("malformed requests", () => {
  it(`are each a 4xx in OpenAI's shape, ${COUNT} of them, and the server serves on`, async () => {
    await using rig = await serve();
    const agent = new Agent({ keepAlive: true, maxSockets: 8 });
    const problems: string[] = [];
    const batch: Promise<void>[] = [];
    for (const wrong of malformedRequests(COUNT, SEED)) {
      const check = async () => {
        const { status, body } = await send(rig.url, wrong, agent);
        const problem = status >= 400 && status < 500 ? misshape(body) : `status ${status}`;
        if (problem) problems.push(`${wrong.what} to ${wrong.path.slice(0, 80)}: ${problem}`);
      };
      batch.push(check());
      if (batch.length === 64) await Promise.all(batch.splice(0));
    }
    await Promise.all(batch);
    agent.destroy();
    expect(problems.slice(0, 10)).toEqual([]);
    expect((await rig.post("/v1/chat/completions", CHAT)).status).toBe(200);
  });

  it("that are no HTTP get a 400 in the same shape", async () => {
    await using rig = await serve();
    for (const text of [
      "\r\n\r\nhello\r\n\r\n",
      "GET\r\n\r\n",
      "GET / HTTP/9.9\r\n\r\n",
      "\u0000\u0001",
    ]) {
      const answer = await sendRaw(rig.url, text);
      expect(answer).toMatch(/^HTTP\/1\.1 400 /);
      expect(misshape(answer.slice(answer.indexOf("\r\n\r\n") + 4))).toBeUndefined();
    }
  });

  it("of more bytes than the limit are a 413 in the same shape", async () => {
    await using rig = await serve(undefined, { bodyLimit: 1000 });
    const response = await rig.post("/v1/completions", { model: "m", prompt: "x".repeat(2000) });
    expect(response.status).toBe(413);
    expect(misshape(await response.text())).toBeUndefined();
  });
});
