import { StagecraftError } from "@stagecraft/core";

/** The command line or its configuration is wrong: exit code 2, nothing was started. */
export class UsageError extends StagecraftError {
  constructor(reason: string, cause?: unknown) {
    super("invalid_argument", reason, { cause });
  }

  /** Runs `parse` and turns its invalid_argument errors into usage errors. */
  static wrap<T>(parse: () => T): T {
    try {
      return parse();
    } catch (thrown) {
      const error = StagecraftError.from(thrown);
      if (error.code === "invalid_argument") throw new UsageError(error.reason, thrown);
      throw error;
    }
  }
}
