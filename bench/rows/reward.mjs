import { grpcCoreLoad, HOW_TO_GET_PEERS, ours, python } from "../lib/peers.mjs";
import { BenchProcess } from "../lib/process.mjs";
import { failedRow, makeBound, makeRow } from "../lib/row.mjs";
import { SMALL } from "../lib/shapes.mjs";
import { median, tidy } from "../lib/stats.mjs";

const CLIENTS = 50;
/** Ids of the clients stay below it; every model knows them. */
const VOCAB = 1024;
const ROUND_SECONDS = 3;
/** Items that a streaming client keeps in flight. */
const IN_FLIGHT = 16;
/** Mean pause of a client between two calls where latency is measured: 500 calls/s in all. */
const THINK_MS = 100;

const start = ({ command, args }) => BenchProcess.start(command, args);

/** A server and the clients that load it. */
async function startSide(kind, server, { items, thinkMs }) {
  const { port } = server.ready;
  const args = [kind, port, CLIENTS, items, thinkMs, VOCAB];
  return { load: await start(ours("ours/reward-load.mjs", args)), answers: [] };
}

/** The same clients on gRPC's C core, in Python, or why there are none: ours are measured without them. */
async function startCoreSide(server) {
  const program = grpcCoreLoad([server.ready.port, CLIENTS, THINK_MS, VOCAB]);
  if (!program) return { missing: new Error(`no clients: ${HOW_TO_GET_PEERS}`) };
  try {
    return { load: await start(program), answers: [] };
  } catch (error) {
    return { missing: error };
  }
}

async function measureInTurns(sides, context) {
  for (let round = 0; round < context.rounds; round++) {
    context.progress.round(round, context.rounds);
    for (const side of sides) side.answers.push(await side.load.measure(ROUND_SECONDS));
  }
}

async function withProcesses(body) {
  const running = [];
  const run = async (starting) => {
    const process = await starting;
    running.push(process);
    return process;
  };
  try {
    return await body(run);
  } finally {
    for (const process of running.reverse()) await process.stop();
  }
}

/** What a server of either side is started with: a shape stands for a real model. */
const serverArgs = ({ threads }, shape) => [threads, ...(shape ? [JSON.stringify(shape)] : [])];
const ourServer = (context, shape) =>
  start(ours("ours/reward-server.mjs", serverArgs(context, shape)));
const itemsPerSecond = ({ items, seconds }) => items / seconds;

/** Latency of single items at a load far below saturation: with this model all of it is overhead. */
const rpc = {
  name: "reward-rpc",
  summary: `overhead of scoring over gRPC, ${CLIENTS} clients, and items/s with a trivial model`,
  seconds: 130,
  run: (context) =>
    withProcesses(async (run) => {
      const server = await run(ourServer(context));
      const paced = await startSide("grpc", server, { items: 1, thinkMs: THINK_MS });
      await run(paced.load);
      const pacedStream = await startSide("grpc-stream", server, { items: 1, thinkMs: THINK_MS });
      await run(pacedStream.load);
      const pacedCore = await startCoreSide(server);
      if (!pacedCore.missing) await run(pacedCore.load);
      const busy = await startSide("grpc", server, { items: 1, thinkMs: 0 });
      await run(busy.load);
      const stream = await startSide("grpc-stream", server, { items: IN_FLIGHT, thinkMs: 0 });
      await run(stream.load);
      const sides = [paced, pacedStream, pacedCore, busy, stream];
      await measureInTurns(
        sides.filter(({ missing }) => !missing),
        context,
      );
      const of = (answers, field) => median(answers.map((answer) => answer[field]));
      const bounds = (name, { answers }, what) => {
        const load = `${CLIENTS} clients, ${tidy(median(answers.map(itemsPerSecond)))} ${what}/s`;
        const latency = { unit: "ms over model", goal: "atMost", note: load };
        return [
          makeBound({ name: `${name}-p50`, ours: of(answers, "p50Ms"), target: 1, ...latency }),
          makeBound({ name: `${name}-p99`, ours: of(answers, "p99Ms"), target: 3, ...latency }),
        ];
      };
      const saturated = `one item a call; p50 then ${tidy(of(busy.answers, "p50Ms"))} ms`;
      return [
        ...bounds("reward-rpc", paced, "calls"),
        ...bounds("reward-rpc-stream", pacedStream, "items"),
        ...(pacedCore.missing
          ? [failedRow("reward-rpc-core", pacedCore.missing)]
          : bounds("reward-rpc-core", pacedCore, "calls")),
        makeBound({
          name: "reward-rpc-items",
          ours: median(busy.answers.map(itemsPerSecond)),
          unit: "items/s",
          target: 3000,
          goal: "atLeast",
          note: saturated,
        }),
        makeBound({
          name: "reward-rpc-stream",
          ours: median(stream.answers.map(itemsPerSecond)),
          unit: "items/s",
          target: 3000,
          goal: "atLeast",
          note: `ScoreStream, ${IN_FLIGHT} items in flight a client; p50 then ${tidy(of(stream.answers, "p50Ms"))} ms`,
        }),
      ];
    }),
};

/** As many items a call on both sides. */
const calls = (items) => ({
  items,
  kinds: ["grpc", "http"],
  how: `${items} of 96 tokens a call`,
});
/** Items that come one by one and are answered one by one, as many in flight on both sides. */
const STREAMS = {
  items: IN_FLIGHT,
  kinds: ["grpc-stream", "http-each"],
  how: `${IN_FLIGHT} of 96 tokens in flight: ours one ScoreStream, theirs one item a call`,
};

/** The same model and the same items over gRPC and over JSON, in turns. */
const fastapi = (name, { items, kinds, how: what }, shape) => ({
  name,
  summary: `items/s over gRPC against FastAPI JSON, ${shape ? "Llama small" : "trivial model"}, ${what}`,
  seconds: 60,
  run: (context) =>
    withProcesses(async (run) => {
      const how = { items, thinkMs: 0 };
      const sides = [await startSide(kinds[0], await run(ourServer(context, shape)), how)];
      await run(sides[0].load);
      const peer = python("peers/reward_api.py", serverArgs(context, shape));
      if (peer) {
        sides.push(await startSide(kinds[1], await run(start(peer)), how));
        await run(sides[1].load);
      }
      await measureInTurns(sides, context);
      const [own, other] = sides.map(({ answers }) => answers.map(itemsPerSecond));
      return [
        makeRow({
          name,
          ours: median(own),
          peer: other && median(other),
          ratio: other && median(own.map((rate, round) => rate / other[round])),
          unit: "items/s",
          target: 3,
          rounds: context.rounds,
          note: `${CLIENTS} clients, ${what}`,
        }),
      ];
    }),
});

/** Scoring over the network: what calls cost without a model, and with one behind both. */
export const REWARD = [
  rpc,
  fastapi("reward-fastapi", calls(1), SMALL),
  fastapi("reward-fastapi-batch", calls(16), SMALL),
  fastapi("reward-fastapi-stream", STREAMS, SMALL),
  fastapi("reward-fastapi-trivial", calls(1)),
  fastapi("reward-fastapi-trivial-batch", calls(16)),
  fastapi("reward-fastapi-trivial-stream", STREAMS),
];
