import { GENERATE } from "./generate.mjs";
import { LLAMACPP } from "./llamacpp.mjs";
import { LOAD_MODEL } from "./load-model.mjs";
import { LORA } from "./lora.mjs";
import { OVERLAP } from "./overlap.mjs";
import { PEOPLE_ROWS } from "./people.mjs";
import { PPO } from "./ppo.mjs";
import { READ_PARQUET } from "./read-parquet.mjs";
import { REWARD } from "./reward.mjs";
import { SCALING } from "./scaling.mjs";
import { SCORE } from "./score.mjs";
import { SERVE_HTTP } from "./serve-http.mjs";
import { TRAIN } from "./train.mjs";
import { XLA_CPU } from "./xla-cpu.mjs";

/**
 * Every benchmark in the order of a full run. `seconds` is about what it takes; `run` gives its rows.
 * @typedef {{ name: string, summary: string, seconds: number,
 *   run(context: import("../lib/context.mjs").BenchContext): Promise<object[]> }} Bench
 * @type {readonly Bench[]}
 */
export const BENCHES = [
  ...TRAIN,
  ...LORA,
  ...XLA_CPU,
  ...GENERATE,
  ...LLAMACPP,
  ...SCORE,
  ...SERVE_HTTP,
  ...PPO,
  ...REWARD,
  ...SCALING,
  ...OVERLAP,
  ...LOAD_MODEL,
  ...READ_PARQUET,
  ...PEOPLE_ROWS,
];

/**
 * Those whose name is given or begins with what is given; all without names. Throws for a name that
 * fits nothing. @param {readonly string[]} names
 */
export function selectBenches(names) {
  const fits = (bench, name) => bench.name === name || bench.name.startsWith(`${name}-`);
  const unknown = names.filter((name) => !BENCHES.some((bench) => fits(bench, name)));
  if (unknown.length > 0) {
    throw new Error(`no benchmark ${unknown.join(", ")}; see npm run bench -- --list`);
  }
  return BENCHES.filter((bench) => names.length === 0 || names.some((name) => fits(bench, name)));
}
