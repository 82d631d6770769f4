import { createHash, randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Everything that a compiled program depends on. */
export interface ProgramKey {
  mlirText: string;
  options: Uint8Array;
  platform: string;
  /** The plugin's own words and its PJRT version. */
  pluginVersion: string;
  deviceKinds: readonly string[];
}

const HASH_BYTES = 32;

/**
 * Compiled programs in a directory, a file each, named by the key's hash. Written beside and renamed, so that
 * several processes may share it; a file that is cut short or altered counts as absent. Delete files at will.
 */
export class ProgramCache {
  constructor(private readonly dir: string) {}

  read(key: ProgramKey): Buffer | undefined {
    const file = this.#fileOf(key);
    let stored: Buffer;
    try {
      stored = readFileSync(file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
    const program = stored.subarray(HASH_BYTES);
    return sha256(program).equals(stored.subarray(0, HASH_BYTES)) ? program : undefined;
  }

  write(key: ProgramKey, program: Uint8Array): void {
    mkdirSync(this.dir, { recursive: true });
    const file = this.#fileOf(key);
    const unfinished = `${file}.${randomUUID()}.tmp`;
    try {
      writeFileSync(unfinished, Buffer.concat([sha256(program), program]));
      renameSync(unfinished, file);
    } finally {
      rmSync(unfinished, { force: true });
    }
  }

  #fileOf(key: ProgramKey): string {
    const { mlirText, options, ...rest } = key;
    const hash = createHash("sha256").update(JSON.stringify(rest)).update("\0").update(options);
    return join(this.dir, `${hash.update("\0").update(mlirText).digest("hex")}.pjrt`);
  }
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}
