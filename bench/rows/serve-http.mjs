import { watchDisturbance } from "../lib/disturbance.mjs";
import { ours } from "../lib/peers.mjs";
import { BenchProcess } from "../lib/process.mjs";
import { makeBound, makeRow } from "../lib/row.mjs";
import { BASE } from "../lib/shapes.mjs";
import { median } from "../lib/stats.mjs";

/** The API over HTTP against the bare engine: the same model, as many streams, the same rounds. */
const serveHttp = (streams) => ({
  name: `serve-http-${streams}`,
  summary: `tokens over HTTP against the bare engine, Llama base, ${streams} streams`,
  seconds: streams > 16 ? 240 : 150,
  async run(context) {
    const { layers, heads, width, inner } = BASE;
    const args = [layers, heads, width, inner, streams, context.threads];
    const { command, args: all } = ours("ours/serve-http.mjs", args);
    const process = await BenchProcess.start(command, all);
    const answers = [];
    try {
      const disturbance = watchDisturbance();
      for (let round = 0; round < context.rounds; round++) {
        context.progress.round(round, context.rounds);
        answers.push(await process.measure(1));
      }
      return rowsOf(answers, { streams, machine: disturbance(), rounds: context.rounds });
    } finally {
      await process.stop();
    }
  },
});

function rowsOf(answers, { streams, ...facts }) {
  const of = (side, field) => median(answers.map((answer) => answer[side][field]));
  const compared = (field) => ({
    ours: of("http", field),
    peer: of("bare", field),
    ratio: median(answers.map(({ http, bare }) => http[field] / bare[field])),
    ...facts,
  });
  const name = `serve-http-${streams}`;
  const us = (field) => of("http", field)?.toFixed(0) ?? "unknown";
  return [
    makeRow({
      ...{ name, ...compared("tokensPerSecond"), unit: "tokens/s", target: 0.95 },
      note: `µs of a processor a token: ${us("serverUs")} the server's main thread, ${us("clientUs")} the clients`,
    }),
    makeRow({
      ...{ name: `${name}-first`, ...compared("firstMs"), unit: "ms to first" },
      ...{ target: 1.15, goal: "atMost" },
    }),
    makeBound({
      name: `${name}-overhead`,
      ours: median(answers.map(({ http, bare }) => http.oneMs - bare.oneMs)),
      ...{ unit: "ms a call", target: 2.5, goal: "atMost", ...facts },
      note: `one token from one client; ${of("bare", "oneMs").toFixed(1)} ms on the bare engine`,
    }),
  ];
}

export const SERVE_HTTP = [serveHttp(16), serveHttp(64)];
