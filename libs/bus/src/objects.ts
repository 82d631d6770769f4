export interface ObjectInfo {
  name: string;
  sizeBytes: number;
  /** Lower-case hex of the content. */
  sha256: string;
}

/** Large values in chunks, e.g. weights. */
export interface ObjectStore {
  /** Replaces an object of that name once the new one is complete. Memory: two chunks. */
  put(name: string, content: Uint8Array | AsyncIterable<Uint8Array>): Promise<ObjectInfo>;
  /**
   * Undefined when there is none. Reading throws `data_loss` at the end when the content does not
   * match its sha256, `not_found` when it was replaced meanwhile: discard what was read.
   */
  get(name: string): Promise<{ info: ObjectInfo; chunks: AsyncIterable<Uint8Array> } | undefined>;
  list(): Promise<ObjectInfo[]>;
  delete(name: string): Promise<void>;
}
