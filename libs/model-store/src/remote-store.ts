/** A file to be stored, with the hash that it has. */
export interface LocalFile {
  path: string;
  sizeBytes: number;
  /** Lower-case hex. */
  sha256: string;
}

/** A small object that several processes change, and which writing of it this is. */
export interface StoredState {
  content: Uint8Array;
  revision: string;
}

export interface TransferOptions {
  signal?: AbortSignal | undefined;
  /** Told how many bytes more are there, those that were there already included. */
  onBytes?(numBytes: number): void;
}

/**
 * Objects by key, as models need them: small ones whole, large ones in parts that a later attempt does not
 * send again. An object is there whole or not at all.
 */
export interface RemoteStore extends AsyncDisposable {
  /** For messages: `s3://bucket` or `nats://`. */
  readonly name: string;
  /** Undefined when there is none. */
  read(key: string): Promise<Uint8Array | undefined>;
  write(key: string, content: Uint8Array): Promise<void>;
  readState(key: string): Promise<StoredState | undefined>;
  /**
   * Writes a state only while it is what was read, or while there is none; throws `aborted` when somebody else was
   * faster, `unimplemented` for a store that cannot tell.
   */
  writeState(key: string, content: Uint8Array, before: StoredState | undefined): Promise<void>;
  /** Sees to it that so many bytes more will fit; throws what to change when they cannot. */
  makeRoom(sizeBytes: number): Promise<void>;
  /** Stores a file; what an earlier attempt has sent, and is the same, is not sent again. */
  upload(key: string, file: LocalFile, options: TransferOptions): Promise<void>;
  /** The content from an offset on. Throws `not_found`. */
  download(key: string, from: number, options: TransferOptions): AsyncIterable<Uint8Array>;
  /** The keys that begin with a prefix. */
  list(prefix: string): Promise<string[]>;
  remove(key: string): Promise<void>;
}
