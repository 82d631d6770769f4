import { createRandom } from "@stagecraft/core";
import { describe, expect, it } from "vitest";
import { resolveSampling, sampleToken, type SamplingParams } from "./sampling.js";

const LOGITS = Float32Array.of(2, 1, 0, -1, 1.5);
const softmax = (logits: ArrayLike<number>, temperature = 1) => {
  const weights = Array.from(logits, (x) => Math.exp(x / temperature));
  const sum = weights.reduce((a, b) => a + b);
  return weights.map((weight) => weight / sum);
};

/** Relative frequency of every token over many draws. */
function frequencies(
  logits: Float32Array,
  params: Partial<SamplingParams>,
  history: number[] = [],
) {
  const random = createRandom(11);
  const counts = new Array<number>(logits.length).fill(0);
  const resolved = resolveSampling(params);
  for (let i = 0; i < DRAWS; i++) counts[sampleToken(logits, resolved, random, { history }).id]!++;
  return counts.map((count) => count / DRAWS);
}

const DRAWS = 20_000;

/** Five standard errors of a frequency: 5·√(.25 / 20 000) = .018. */
function expectNear(actual: number[], expected: number[]): void {
  actual.forEach((value, id) => {
    expect(Math.abs(value - expected[id]!), `token ${id}`).toBeLessThan(0.018);
    if (expected[id] === 0) expect(value).toBe(0);
  });
}

const renormalised = (probabilities: number[], kept: number[]) => {
  const sum = kept.reduce((total, id) => total + probabilities[id]!, 0);
  return probabilities.map((p, id) => (kept.includes(id) ? p / sum : 0));
};

describe("sampleToken()", () => {
  it("draws from the softmax at the temperature", () => {
    expectNear(frequencies(LOGITS, {}), softmax(LOGITS));
    expectNear(frequencies(LOGITS, { temperature: 0.5 }), softmax(LOGITS, 0.5));
  });

  it("reports the log-prob under the temperature alone, whatever the filters", () => {
    const settings = [{}, { topK: 2 }, { topP: 0.5 }, { minP: 0.3 }, { repetitionPenalty: 3 }];
    for (const temperature of [0.7, 1, 2]) {
      for (const setting of settings) {
        const params = resolveSampling({ ...setting, temperature });
        const { id, logProb } = sampleToken(LOGITS, params, createRandom(1), { history: [0, 4] });
        expect(logProb).toBeCloseTo(Math.log(softmax(LOGITS, temperature)[id]!), 6);
      }
    }
  });

  it("takes the first most likely token at temperature 0, with its log-prob at 1", () => {
    const logits = Float32Array.of(0, 3, 3, 1);
    const token = sampleToken(logits, resolveSampling({ temperature: 0 }), createRandom(1));
    expect(token.id).toBe(1);
    expect(token.logProb).toBeCloseTo(Math.log(softmax(logits)[1]!), 6);
  });

  it("keeps the k most likely, the smallest nucleus, and what min-p allows", () => {
    const p = softmax(LOGITS); // .46 .17 .06 .02 .28
    expectNear(frequencies(LOGITS, { topK: 2 }), renormalised(p, [0, 4]));
    expectNear(frequencies(LOGITS, { topP: 0.5 }), renormalised(p, [0, 4]));
    expectNear(frequencies(LOGITS, { topP: 0.3 }), renormalised(p, [0]));
    expectNear(frequencies(LOGITS, { minP: 0.3 }), renormalised(p, [0, 1, 4]));
    expectNear(frequencies(LOGITS, { topK: 3, topP: 0.8 }), renormalised(p, [0, 4]));
    // .5 of all is reached by {0, 4}; .5 of the three heaviest by {0} alone: top-p follows top-k.
    expectNear(frequencies(LOGITS, { topK: 3, topP: 0.5 }), renormalised(p, [0]));
    expectNear(frequencies(Float32Array.of(1, 1, 1), { topK: 2 }), [0.5, 0.5, 0]);
    expectNear(frequencies(LOGITS, { topK: 99 }), p);
  });

  it("penalises what was said before on either side of zero", () => {
    const penalised = Float32Array.of(1, 1, 0, -2, 1.5);
    const found = frequencies(LOGITS, { repetitionPenalty: 2 }, [0, 3, 3]);
    expectNear(found, softmax(penalised));
  });

  it("filters a large vocabulary as a full sort would", () => {
    const random = createRandom(2);
    const logits = Float32Array.from({ length: 5000 }, () => random.nextNormal());
    const p = softmax(logits);
    const order = p.map((_, id) => id).sort((a, b) => p[b]! - p[a]! || a - b);
    for (const topP of [0.05, 0.5, 0.97]) {
      let mass = 0;
      const nucleus = new Set<number>();
      for (const id of order) {
        if (mass >= topP) break;
        nucleus.add(id);
        mass += p[id]!;
      }
      const seen = new Set<number>();
      const params = resolveSampling({ topP });
      for (let i = 0; i < 300; i++) seen.add(sampleToken(logits, params, random).id);
      for (const id of seen) expect(nucleus.has(id)).toBe(true);
    }
  });

  it("survives logits far apart and refuses logits that are not finite", () => {
    const params = resolveSampling({});
    const far = sampleToken(Float32Array.of(-1e30, 500, -1e30), params, createRandom(1));
    expect(far).toEqual({ id: 1, logProb: 0 });
    for (const bad of [NaN, Infinity]) {
      expect(() => sampleToken(Float32Array.of(0, bad), params, createRandom(1))).toThrow(
        "diverged",
      );
    }
  });
});

describe("resolveSampling()", () => {
  it("refuses what float32 cannot compute with", () => {
    for (const params of [
      { temperature: 1e-45 },
      { temperature: 1e300 },
      { repetitionPenalty: 1e-40 },
      { repetitionPenalty: 1e40 },
    ]) {
      const [field] = Object.keys(params);
      expect(() => resolveSampling(params)).toThrow(`sampling: ${field} must be`);
    }
  });

  it("lists every field out of range", () => {
    expect(() =>
      resolveSampling({
        temperature: -1,
        topK: 1.5,
        topP: 0,
        minP: 2,
        repetitionPenalty: 0,
        maxNewTokens: 0,
        stop: [""],
      }),
    ).toThrow(/temperature.*topK.*topP.*minP.*repetitionPenalty.*maxNewTokens.*stop/);
    expect(() => resolveSampling({ temperature: NaN })).toThrow("temperature");
  });
});
