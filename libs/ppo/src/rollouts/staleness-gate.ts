/** Where sampling and training stand. */
export interface GateState {
  /** Answers asked for since the run began, those still in flight included: N_r. */
  numAdmitted: number;
  /** Answers of one update: B. */
  batchSize: number;
  /** Version of the newest weights, which is the number of updates made. */
  version: number;
  /** η: how many versions the weights of a token may lie behind those that learn from it. */
  maxStaleness: number;
}

/** Whether one more answer may be asked for: ⌊(N_r − 1)/B⌋ ≤ version + η, it counted in N_r [AReaL]. */
export function mayAdmit({ numAdmitted, batchSize, version, maxStaleness }: GateState): boolean {
  return Math.floor(numAdmitted / batchSize) <= version + maxStaleness;
}
