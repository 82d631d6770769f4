/** How the learning rate moves over a run. */
export interface ScheduleConfig {
  kind: "constant" | "linear" | "cosine";
  /** The highest rate, reached after warm-up. */
  learningRate: number;
  /** Steps of linear warm-up from near 0. */
  warmupSteps: number;
  totalSteps: number;
  /** The last rate as a share of the highest; ignored by `constant`. */
  minRatio: number;
}

/**
 * The rate of optimizer step `step` (0-based), as in nanoGPT: (step + 1)/(warm-up + 1) of the peak
 * while warming up, then from the peak at `warmupSteps` down to peak·minRatio at `totalSteps`.
 */
export function learningRateAt(step: number, config: ScheduleConfig): number {
  const { kind, learningRate, warmupSteps, totalSteps, minRatio } = config;
  if (step < warmupSteps) return (learningRate * (step + 1)) / (warmupSteps + 1);
  if (kind === "constant") return learningRate;
  const span = Math.max(1, totalSteps - warmupSteps);
  const progress = Math.min(1, (step - warmupSteps) / span);
  const remaining = kind === "linear" ? 1 - progress : 0.5 * (1 + Math.cos(Math.PI * progress));
  return learningRate * (minRatio + (1 - minRatio) * remaining);
}
