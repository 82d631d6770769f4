/** A loop beside this gateway that its pages start and stop. */
export interface LoopControl {
  /** Starts a round; throws `failed_precondition` while one runs. */
  start(): Promise<void>;
  /** Stops the round at its next checkpoint. */
  stop(): Promise<void>;
  isRunning(): boolean;
}
