export interface ObjectInfo {
  name: string;
  sizeBytes: number;
  /** Lower-case hex of the content. */
  sha256: string;
}

/** Bytes; a function gives them from their beginning each time it is called. */
export type ObjectContent =
  Uint8Array | AsyncIterable<Uint8Array> | (() => Iterable<Uint8Array> | AsyncIterable<Uint8Array>);

/** Large values in chunks, e.g. weights. */
export interface ObjectStore {
  /**
   * Replaces an object of that name once the new one is complete. Memory: two chunks; 17 of content that
   * can be read again, which is several times as fast.
   */
  put(name: string, content: ObjectContent): Promise<ObjectInfo>;
  /**
   * Undefined when there is none. Reading throws `data_loss` at the end when the content does not
   * match its sha256, `not_found` when it was replaced meanwhile: discard what was read.
   */
  get(name: string): Promise<{ info: ObjectInfo; chunks: AsyncIterable<Uint8Array> } | undefined>;
  list(): Promise<ObjectInfo[]>;
  delete(name: string): Promise<void>;
  /**
   * Removes what was put half, by a process that was killed meanwhile; resolves to how many. Only while
   * nobody puts.
   */
  sweep(): Promise<number>;
  /**
   * Sees to it that the bucket may hold so many bytes, with `grow` by making it larger. Throws
   * `failed_precondition` with both sizes where it cannot.
   */
  reserve(bytes: number, options: { grow: boolean }): Promise<void>;
}
