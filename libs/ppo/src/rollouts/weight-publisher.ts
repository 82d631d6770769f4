import type { TensorMap } from "@stagecraft/checkpoint";

/** A version of the policy's weights as samplers know it. */
export interface PublishedWeights {
  /** The one number that it goes by; grows with every publication, across restarts too. */
  version: number;
  /** Equal weights have one hash, however often they were published. */
  sha256: string;
  /** The updates that made them. */
  step: number;
}

/** Weights that samplers can fetch, but have not been told of. */
export interface StoredWeights extends PublishedWeights {
  /** Tells the samplers to use them from now on. */
  announce(): Promise<void>;
}

/** How the weights of a run reach its samplers. */
export interface WeightPublisher {
  /** Stores the weights of a step under the next number. The tensors must not change until it resolves. */
  store(tensors: TensorMap, step: number): Promise<StoredWeights>;
}
