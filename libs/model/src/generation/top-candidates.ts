/** Which tokens may still be drawn. */
export interface CandidateLimits {
  /** Number of tokens to keep; 0 = all. */
  readonly topK: number;
  /** Fraction of the mass, of what top-k leaves, that the kept tokens must reach. */
  readonly topP: number;
  readonly minP: number;
}

/**
 * Ids, ascending, of the tokens that pass top-k, then top-p of what is left, then min-p. `weights`
 * are those of `softmaxWeights`, whose largest is 1. Among equal weights the smaller id is kept.
 * Never empty. Linear in the vocabulary: a histogram finds the few weights that must be sorted.
 */
export function topCandidates(weights: Float64Array, limits: CandidateLimits): number[] {
  const { topK, topP, minP } = limits;
  const most = Math.min(topK || weights.length, weights.length);
  const histogram = histogramOf(weights);
  let end = headOf(weights, histogram, { count: most, mass: Infinity });
  if (topP < 1) {
    end = headOf(weights, histogram, { count: end.count, mass: topP * end.mass });
  }
  return end.lightest >= minP ? collect(weights, end) : collect(weights, { lightest: minP });
}

/** The heaviest tokens up to a limit: how many, their mass, and the last one's weight. */
interface Head {
  readonly count: number;
  readonly mass: number;
  readonly lightest: number;
}

interface Histogram {
  readonly counts: Int32Array;
  readonly masses: Float64Array;
}

const NUM_BUCKETS = 1024;

/**
 * Buckets by the upper 16 bits of the double, 16 to every factor of two, heaviest first; the last
 * one holds everything below 2^-64.
 */
function bucketOf(upperWord: number): number {
  return Math.min(0x3ff0 - (upperWord >>> 16), NUM_BUCKETS - 1);
}

function upperWords(weights: Float64Array): Uint32Array {
  return new Uint32Array(weights.buffer, weights.byteOffset, weights.length * 2);
}

function histogramOf(weights: Float64Array): Histogram {
  const counts = new Int32Array(NUM_BUCKETS);
  const masses = new Float64Array(NUM_BUCKETS);
  const words = upperWords(weights);
  for (let id = 0; id < weights.length; id++) {
    const bucket = bucketOf(words[2 * id + 1]!);
    counts[bucket]!++;
    masses[bucket]! += weights[id]!;
  }
  return { counts, masses };
}

/** Stops at the first token with which the count or the mass is reached. */
function headOf(
  weights: Float64Array,
  { counts, masses }: Histogram,
  limit: { count: number; mass: number },
): Head {
  let [count, mass, bucket] = [0, 0, 0];
  for (; bucket < NUM_BUCKETS - 1; bucket++) {
    const [nextCount, nextMass] = [count + counts[bucket]!, mass + masses[bucket]!];
    if (nextCount >= limit.count || nextMass >= limit.mass) break;
    [count, mass] = [nextCount, nextMass];
  }
  let lightest = 1;
  for (const weight of membersOf(weights, bucket)) {
    if (count >= limit.count || (count > 0 && mass >= limit.mass)) break;
    count++;
    mass += weight;
    lightest = weight;
  }
  return { count, mass, lightest };
}

/** The weights of one bucket, heaviest first. */
function membersOf(weights: Float64Array, bucket: number): Float64Array {
  const words = upperWords(weights);
  const members: number[] = [];
  for (let id = 0; id < weights.length; id++) {
    if (bucketOf(words[2 * id + 1]!) === bucket) members.push(weights[id]!);
  }
  return Float64Array.from(members).sort().reverse();
}

/** Everything heavier than `lightest`, and of those equal to it as many as `count` leaves room for. */
function collect(
  weights: Float64Array,
  { lightest, count = Infinity }: { lightest: number; count?: number },
): number[] {
  let ties = count;
  for (let id = 0; id < weights.length; id++) if (weights[id]! > lightest) ties--;
  const ids: number[] = [];
  for (let id = 0; id < weights.length; id++) {
    const weight = weights[id]!;
    if (weight > lightest || (weight === lightest && ties-- > 0)) ids.push(id);
  }
  return ids;
}
