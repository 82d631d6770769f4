import { join } from "node:path";
import { duel } from "../lib/duel.mjs";
import { llamaCpp, ours } from "../lib/peers.mjs";
import { duelRows } from "../lib/row.mjs";
import { median, tidy } from "../lib/stats.mjs";
import { BASE, SMALL, forwardFlops, headFlops } from "../lib/shapes.mjs";
import { NEW, PROMPT, bytesPerToken } from "./generate.mjs";

const decode = (size, shape, { batch, target, seconds }) => ({
  name: `llamacpp-${size}-${batch}`,
  summary: `decoding ${NEW} tokens, Llama ${size} f32, batch ${batch}, against llama.cpp`,
  seconds,
  async run(context) {
    const { threads } = context;
    const args = [...Object.values(shape), batch, threads, "decode"];
    const result = await duel(
      { ours: ours("ours/generate.mjs", args), peer: startPeer(size, batch, threads) },
      context,
    );
    const [row, memory] = duelRows(
      {
        name: `llamacpp-${size}-${batch}`,
        unit: "tokens/s",
        units: NEW * batch,
        flops: batch * (decodingFlops(shape) + NEW * headFlops(shape)),
        bytes: batch === 1 ? NEW * bytesPerToken(shape) : undefined,
        target,
      },
      result,
      context,
    );
    return [{ ...row, ...withPrompts(result) }, memory];
  },
});

/** The answer's tokens through the blocks; the prompt is not in the measured time. */
const decodingFlops = (shape) => forwardFlops(shape, PROMPT + NEW) - forwardFlops(shape, PROMPT);

/** The ratio when reading the prompts counts too. */
function withPrompts({ ours: mine, peer }) {
  if (!peer) return {};
  const total = ({ answers, repeats }) =>
    answers.map(({ seconds, promptSeconds }) => (seconds + promptSeconds) / repeats);
  const [own, other] = [total(mine), total(peer)];
  return { ratioWithPrompts: tidy(median(own.map((value, i) => other[i] / value))) };
}

function startPeer(size, batch, threads) {
  const peer = llamaCpp();
  if (!peer) return undefined;
  const args = [join(peer.cache, `${size}.gguf`), join(peer.cache, "lib"), threads, batch];
  return { command: peer.binary, args: args.map(String) };
}

/** The same two models in llama.cpp, in the fastest of its settings. */
export const LLAMACPP = [
  decode("small", SMALL, { batch: 1, target: 0.9, seconds: 20 }),
  decode("small", SMALL, { batch: 16, target: 1.5, seconds: 20 }),
  decode("base", BASE, { batch: 1, target: 0.9, seconds: 25 }),
  decode("base", BASE, { batch: 16, target: 1.5, seconds: 30 }),
];
