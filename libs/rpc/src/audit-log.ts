import { appendFileSync } from "node:fs";
import { StagecraftError } from "@stagecraft/core";
import type { Logger } from "@stagecraft/telemetry";

/** Who asked for what, and what became of it. */
export interface AuditEntry {
  /** `asked` before anything happens, `done` with the status when it is over, `refused` by its roles. */
  event: "asked" | "done" | "refused";
  method: string;
  caller: string;
  peer: string;
  callId: string;
  code?: string;
  /** See MethodAccess. */
  request?: Record<string, unknown>;
}

/** Where calls that change something are written down. */
export interface AuditLog {
  /** Throws `unavailable` when the file cannot be written: then nothing may happen either. */
  write(entry: AuditEntry): void;
}

/** JSON lines in a file that only its owner reads, or without one among the log's lines. */
export function createAuditLog(file: string | undefined, logger: Logger): AuditLog {
  return {
    write(entry) {
      if (file === undefined) return logger.info({ audit: entry }, "audit");
      const line = `${JSON.stringify({ time: new Date().toISOString(), ...entry })}\n`;
      try {
        appendFileSync(file, line, { mode: 0o600 });
      } catch (cause) {
        throw new StagecraftError(
          "unavailable",
          "the audit log cannot be written; nothing is done without it",
          { cause },
        );
      }
    },
  };
}
