import { loadNative } from "@stagecraft/tensor-native";
import { describe, expect, it } from "vitest";

const native = loadNative();
if (!("addon" in native)) throw new Error(native.reason);
const { addon } = native;

/** Those that this machine runs; this file's process is its own. */
const SETS = ["baseline", "neon", "avx2", "avx512"].filter((simd) => {
  try {
    addon.configure({ simd });
    return true;
  } catch {
    return false;
  }
});

describe("a model that diverged", () => {
  for (const simd of SETS) {
    it(`gets no numbers from any activation: ${simd}`, () => {
      addon.configure({ simd });
      const x = Float32Array.of(NaN, 1);
      for (let activation = 0; activation < 5; activation++) {
        const y = new Float32Array(2);
        addon.activate({ activation, size: 2, x, y });
        expect([...y].map(Number.isNaN), `activation ${activation}`).toEqual([true, false]);
      }
    });

    it(`gets no log-probabilities from capped logits: ${simd}`, () => {
      addon.configure({ simd });
      const [logProbs, entropy] = [new Float32Array(1), new Float32Array(1)];
      addon.tokenLogProbs({
        ...{ rows: 1, width: 2, vocab: 3, temperature: 1, softcap: 5 },
        hidden: Float32Array.of(NaN, 1),
        weight: Float32Array.of(1, 1, 2, 1, 3, 1),
        ...{ targets: Int32Array.of(1), logProbs, entropy, lse: new Float32Array(1) },
      });
      expect([...logProbs, ...entropy]).toEqual([NaN, NaN]);
    });
  }
});
