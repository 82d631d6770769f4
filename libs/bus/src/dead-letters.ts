/** The stream of all dead letters and the subjects below which they are kept. */
export const DEAD_STREAM = "DEAD";
export const DEAD_PREFIX = "stagecraft.dead.";

/**
 * A message that was given up, without its content. `sequence`, `subject`, `diedAtMs` and `sizeBytes`
 * are what the broker saw; the rest are the words of whoever gave it up, which decide nothing.
 */
export interface DeadLetter {
  /** Its number among the dead letters, for `show` and `requeue`. */
  sequence: number;
  reason: string;
  /** The subject it was taken from. */
  subject: string;
  /** The publisher's id. */
  id: string;
  stream: string;
  consumer: string;
  /** Times it had been delivered. */
  delivery: number;
  diedAtMs: number;
  sizeBytes: number;
}

export interface DeadLetters {
  /** Oldest first. `subject` filters on the original subject (`*` and `>` allowed). */
  list(options?: { subject?: string; after?: number; limit?: number }): Promise<DeadLetter[]>;
  /** Throws `not_found`. */
  show(
    sequence: number,
  ): Promise<DeadLetter & { data: Uint8Array; headers: Record<string, string> }>;
  /**
   * Publishes it again to the subject it was taken from, known by where it lies here, then forgets it
   * here. Throws `not_found`.
   */
  requeue(sequence: number): Promise<void>;
  /** Forgets it; false when there is none. */
  discard(sequence: number): Promise<boolean>;
}
