/**
 * What sampling parameters may be, for whoever asks for text and whoever draws it. Within them scaled
 * and penalised logits of a healthy model stay finite in float32. A temperature of 0 is allowed too: it
 * takes the most likely token.
 */
export const SAMPLING_LIMITS = {
  minTemperature: 1e-6,
  maxTemperature: 1000,
  minRepetitionPenalty: 0.01,
  maxRepetitionPenalty: 100,
} as const;

/** Whether logits can be divided by it, or it is 0. */
export function isTemperature(value: number): boolean {
  const { minTemperature, maxTemperature } = SAMPLING_LIMITS;
  return value === 0 || (value >= minTemperature && value <= maxTemperature);
}

/** Whether logits can be divided and multiplied by it. */
export function isRepetitionPenalty(value: number): boolean {
  const { minRepetitionPenalty, maxRepetitionPenalty } = SAMPLING_LIMITS;
  return value >= minRepetitionPenalty && value <= maxRepetitionPenalty;
}

/** Furthest that a logit may be moved up or down. */
export const MAX_LOGIT_BIAS = 100;

/** Whether it can be taken from the logits of tokens that an answer has already. */
export function isAnswerPenalty(value: number): boolean {
  return value >= -2 && value <= 2;
}

/** The two ranges in words. */
export const TEMPERATURE_RANGE = `0, or from ${SAMPLING_LIMITS.minTemperature} to ${SAMPLING_LIMITS.maxTemperature}`;
export const REPETITION_PENALTY_RANGE = `from ${SAMPLING_LIMITS.minRepetitionPenalty} to ${SAMPLING_LIMITS.maxRepetitionPenalty}`;
