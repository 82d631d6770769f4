/** A little above 0: rounding may lift the log-prob of a certain token so far. */
const MAX_LOG_PROB = Math.fround(1e-3);
/** The log of the smallest float32: nothing less likely was ever drawn. */
const MIN_LOG_PROB = -104;

/** What a log-prob in nats must be, for messages. */
export const LOG_PROB_RANGE = `from ${MIN_LOG_PROB} to 0.001`;

/**
 * Whether a float32 can be the log-prob of a token that somebody drew. The one tolerance for all that
 * send or take log-probs: what one lets through, the next takes.
 */
export function isLogProb(value: number): boolean {
  return value >= MIN_LOG_PROB && value <= MAX_LOG_PROB;
}
