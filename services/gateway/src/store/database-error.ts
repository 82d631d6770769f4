import { StagecraftError, type ErrorCode } from "@stagecraft/core";

/** What an error of PostgreSQL, of the way to it, or of PGlite means to a caller. */
export function databaseError(thrown: unknown): StagecraftError {
  if (thrown instanceof StagecraftError) return thrown;
  const { code = "", message = String(thrown) } = thrown as { code?: string; message?: string };
  const known = MEANINGS.find(([pattern]) => pattern.test(code) || pattern.test(message));
  const [, kind, advice] = known ?? [/./, "internal" as ErrorCode, ""];
  const reason = `database: ${message}${advice && `; ${advice}`}`;
  const details = kind === "aborted" ? { again: true } : {};
  return new StagecraftError(kind, reason, { cause: thrown, details });
}

const AWAY = "nothing was stored, try again";

const MEANINGS: readonly (readonly [RegExp, ErrorCode, string])[] = [
  [/^(40001|40P01)$/, "aborted", "try again"],
  [/^53100$/, "unavailable", "the disk is full; nothing was stored"],
  [/^(08...|53...|57P..)$/, "unavailable", AWAY],
  [/^(ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EHOSTUNREACH)/, "unavailable", AWAY],
  [/terminated|timeout exceeded when trying to connect|not queryable/i, "unavailable", AWAY],
  [/^(28...|3D000)$/, "failed_precondition", "check user, password and name in the database URL"],
  [
    /^22021$|^22P05$|invalid byte sequence/,
    "invalid_argument",
    "take NUL characters out of the text",
  ],
];
