import { StagecraftError } from "@stagecraft/core";

/** The command line or its configuration is wrong: exit code 2, nothing was started. */
export class UsageError extends StagecraftError {
  constructor(reason: string, cause?: unknown) {
    super("invalid_argument", reason, { cause });
  }

  /** Reads a configuration; what is wrong with it, or with its file, is a usage error. */
  static async wrap<T>(read: () => T | Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (thrown) {
      const error = StagecraftError.from(thrown);
      throw new UsageError(error.reason, thrown);
    }
  }
}
