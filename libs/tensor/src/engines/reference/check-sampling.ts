import { checkIds, fail } from "../../checks.js";
import type { StepSampling } from "../decoder.js";

/** Throws `invalid_argument`, in the native engine's words, for arrays that do not fit the rows and filters that cannot be. */
export function checkSampling(sampling: StepSampling, numRows: number, vocab: number): void {
  const { temperatures, uniforms, numTokens = 1, limits, eosIds, filters } = sampling;
  if (!(Number.isInteger(numTokens) && numTokens >= 1))
    fail("step", `numTokens is ${numTokens}, expected an integer of at least 1`);
  const byRow = { temperatures, limits, eosIds, filters };
  for (const [name, values] of Object.entries(byRow)) {
    if (values && values.length !== numRows)
      fail("step", `${name} has ${values.length} values, expected ${numRows}`);
  }
  const numUniforms = numRows * numTokens;
  if (uniforms.length !== numUniforms) {
    const shape = numTokens === 1 ? "" : `[${numRows}, ${numTokens}] = `;
    fail("step", `uniforms has ${uniforms.length} values, expected ${shape}${numUniforms}`);
  }
  filters?.forEach((row, i) => {
    if (!row) return;
    const { topK, topP, minP, repetitionPenalty, history } = row;
    if (!(topK >= 0 && topP > 0 && minP >= 0 && minP <= 1 && repetitionPenalty > 0))
      fail("step", `the filters of row ${i} are out of range`);
    if (repetitionPenalty !== 1) checkIds("step", "history", history, vocab);
  });
}
