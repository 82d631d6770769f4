/** What is known of an output before it is there, or of a model directory that is. */
export interface OutputFacts {
  /** Of a model. */
  maxPositions?: number;
  heads?: readonly string[];
  /** Of sampled answers. */
  answersPerPrompt?: number;
}

/** Outputs that are still to come. */
export interface Forecast {
  /** Undefined for a path that no earlier stage writes: it has to be there already. */
  of(path: string): OutputFacts | undefined;
}
