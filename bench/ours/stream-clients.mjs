// Clients of the API over HTTP, as light as they can be, in a process of their own:
//   stream-clients.mjs URL STREAMS
// Every line of its input is a list of request bodies. They are sent to /v1/completions at once, each on a
// connection of its own that stays open; then a line says when each answer began and all had ended, ms after
// they were sent, how many tokens each says it has, and how much processor time this process took.
import { connect } from "node:net";
import { createInterface } from "node:readline";

const [url, streams] = [new URL(process.argv[2]), Number(process.argv[3])];
/** Enough for the end of a stream, and for the whole answer to a call of one token. */
const TAIL = 4096;

/** One connection; `ask` resolves with the time of the first byte and the last part of the answer. */
function openConnection() {
  let [first, tail, done] = [0, "", undefined];
  const callback = (length, buffer) => {
    first ||= performance.now();
    tail = (tail + buffer.latin1Slice(Math.max(0, length - TAIL), length)).slice(-TAIL);
    if (isWhole(tail)) done({ first, tail });
    return true;
  };
  const onread = { buffer: Buffer.alloc(1 << 16), callback };
  const socket = connect({ host: url.hostname, port: Number(url.port), noDelay: true, onread });
  return (body) =>
    new Promise((resolve, reject) => {
      [first, tail, done] = [0, "", resolve];
      socket.once("close", () => reject(new Error(`the connection was closed behind ${tail}`)));
      const head = `POST /v1/completions HTTP/1.1\r\nhost: ${url.host}\r\n`;
      const what = `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}`;
      socket.write(`${head}${what}\r\n\r\n${body}`);
    }).finally(() => socket.removeAllListeners("close"));
}

/** Ends with the last chunk, or has the length that it says. */
function isWhole(tail) {
  if (tail.endsWith("\r\n0\r\n\r\n")) return true;
  const length = /\r\ncontent-length: (\d+)\r\n/i.exec(tail)?.[1];
  const headEnd = tail.indexOf("\r\n\r\n");
  return length !== undefined && tail.length >= headEnd + 4 + Number(length);
}

function madeOf({ tail }) {
  const made = /"completion_tokens":(\d+)/.exec(tail);
  if (!made) throw new Error(tail);
  return Number(made[1]);
}

const connections = Array.from({ length: streams }, openConnection);
for await (const line of createInterface({ input: process.stdin })) {
  const bodies = JSON.parse(line).map((body) => JSON.stringify(body));
  const cpu = process.cpuUsage();
  const start = performance.now();
  const answers = await Promise.all(bodies.map((body, i) => connections[i](body)));
  const { user, system } = process.cpuUsage(cpu);
  const told = {
    firstMs: answers.map(({ first }) => first - start),
    ms: performance.now() - start,
    made: answers.map(madeOf),
    cpuMs: (user + system) / 1000,
  };
  console.log(JSON.stringify(told));
}
process.exit(0);
