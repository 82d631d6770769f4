// What a token costs over HTTP when nothing but node stands behind it: http-floor.mjs [STREAMS [TOKENS]].
// A bare server of node:http writes preformatted events to STREAMS readers, one write for 1, 2, 5 and 10 tokens of
// each; the clients are those of the rows `serve-http`. A line for each says the processor time of both sides, µs a
// token, of one write, and of a request (an answer of one write, less that write).
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const [streams = 16, tokens = 60] = process.argv.slice(2).map(Number);
/** Between two rounds of writes: a step of the base model, so that each finds its readers asleep. */
const STEP_MS = 4;
const choice = { index: 0, text: " word", logprobs: null, finish_reason: null };
const frame = { id: `cmpl-${"0".repeat(24)}`, object: "text_completion", created: 1e9, model: "m" };
const eventOf = (more) =>
  `data: ${JSON.stringify({ ...frame, system_fingerprint: "v0", choices: [choice], ...more })}\n\n`;
const event = eventOf({ usage: null });
const last = `${eventOf({ usage: { completion_tokens: tokens } })}data: [DONE]\n\n`;

const open = new Set();
let perWrite = 1;
const server = createServer((request, response) => {
  request.resume().on("end", () => {
    response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
    open.add({ response, left: tokens });
  });
});
setInterval(() => {
  for (const stream of open) {
    const count = Math.min(perWrite, stream.left);
    stream.left -= count;
    if (stream.left > 0) stream.response.write(event.repeat(count));
    else {
      stream.response.end(event.repeat(count - 1) + last);
      open.delete(stream);
    }
  }
}, STEP_MS);
server.listen(0, "127.0.0.1");
await once(server, "listening");

const program = fileURLToPath(new URL("../ours/stream-clients.mjs", import.meta.url));
const url = `http://127.0.0.1:${server.address().port}`;
const child = spawn(process.execPath, [program, url, String(streams)], {
  stdio: ["pipe", "pipe", "inherit"],
});
const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
const body = { model: "m", prompt: Array.from({ length: 32 }, (_, i) => 1000 + i), stream: true };
const bodies = `${JSON.stringify(Array.from({ length: streams }, () => body))}\n`;

/** Processor time of both sides for an answer to every reader, µs a stream. */
async function measure(each) {
  perWrite = each;
  const before = process.cpuUsage();
  child.stdin.write(bodies);
  const { cpuMs } = JSON.parse((await lines.next()).value);
  const { user, system } = process.cpuUsage(before);
  return { serverUs: (user + system) / streams, clientUs: (1000 * cpuMs) / streams };
}

async function medianOf(each) {
  const rounds = [];
  for (let i = 0; i < 25; i++) rounds.push(await measure(each));
  const middle = (side) => rounds.map((round) => round[side]).sort((a, b) => a - b)[12];
  return { serverUs: middle("serverUs"), clientUs: middle("clientUs") };
}

await medianOf(1);
const whole = await medianOf(tokens);
for (const each of [1, 2, 5, 10]) {
  const measured = await medianOf(each);
  const writes = Math.ceil(tokens / each) - 1;
  const rounded = (us) => Number(us.toFixed(1));
  const of = (side) => ({
    token: rounded(measured[side] / tokens),
    write: rounded((measured[side] - whole[side]) / writes),
    request: rounded(whole[side]),
  });
  const told = { tokensPerWrite: each, server: of("serverUs"), client: of("clientUs") };
  console.log(JSON.stringify(told));
}
child.kill();
process.exit(0);
