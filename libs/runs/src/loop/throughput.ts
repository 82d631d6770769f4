/** Tokens per second over the most recent steps, smoothed, without counting evaluation time. */
export interface Throughput {
  add(numTokens: number, elapsedMs: number): void;
  tokensPerSecond(): number;
}

const SMOOTHING = 0.9;

export function createThroughput(): Throughput {
  let tokens = 0;
  let elapsed = 0;
  return {
    add(numTokens, elapsedMs) {
      tokens = SMOOTHING * tokens + numTokens;
      elapsed = SMOOTHING * elapsed + elapsedMs;
    },
    tokensPerSecond: () => (elapsed === 0 ? 0 : (1000 * tokens) / elapsed),
  };
}
