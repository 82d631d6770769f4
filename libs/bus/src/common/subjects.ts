import { StagecraftError } from "@stagecraft/core";

/** NATS matching: `*` is one token, a final `>` one or more. */
export function subjectMatches(pattern: string, subject: string): boolean {
  const wanted = pattern.split(".");
  const given = subject.split(".");
  for (let i = 0; i < wanted.length; i++) {
    if (wanted[i] === ">") return given.length > i;
    if (given[i] === undefined || (wanted[i] !== "*" && wanted[i] !== given[i])) return false;
  }
  return wanted.length === given.length;
}

/** Throws `invalid_argument` unless the subject can be published to. */
export function checkSubject(subject: string): void {
  if (/^[^\s.*>]+(\.[^\s.*>]+)*$/.test(subject)) return;
  throw new StagecraftError(
    "invalid_argument",
    `subject "${subject}" must be tokens separated by dots, without spaces, * or >`,
  );
}

/** Throws `invalid_argument` unless the name works as a stream, consumer, bucket or subject token. */
export function checkName(kind: string, name: string): void {
  if (/^[A-Za-z0-9_-]{1,64}$/.test(name)) return;
  throw new StagecraftError(
    "invalid_argument",
    `${kind} "${name}" must be 1 to 64 letters, digits, - or _`,
  );
}
