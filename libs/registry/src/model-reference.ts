import { StagecraftError } from "@stagecraft/core";
import type { ModelHistory, RegistryContent } from "./registry-content.js";

/** `NAME`, the version in use, or `NAME@3`. */
export interface ModelReference {
  name: string;
  number: number | undefined;
}

/** Throws `invalid_argument` for what is no reference. */
export function parseReference(reference: string): ModelReference {
  const match = /^([^@]+)(?:@(\d+))?$/.exec(reference);
  if (match) return { name: match[1]!, number: match[2] ? Number(match[2]) : undefined };
  throw new StagecraftError(
    "invalid_argument",
    `${JSON.stringify(reference)} names no model; write NAME or NAME@VERSION, such as assistant@3`,
  );
}

/** Throws `invalid_argument` for what cannot be a model's name. */
export function checkName(name: string): void {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name)) return;
  throw new StagecraftError(
    "invalid_argument",
    `${JSON.stringify(name)} is no name for a model: use 1 to 64 letters, digits, dots, - and _`,
  );
}

/** What was in use before the version that is: going back twice does not lead forward again. */
export function previousOf({ promotions }: ModelHistory, name: string): number {
  const stack: number[] = [];
  for (const { version, kind } of promotions) {
    const at = kind === "rollback" ? stack.lastIndexOf(version) : -1;
    if (at >= 0) stack.length = at + 1;
    else if (stack.at(-1) !== version) stack.push(version);
  }
  const previous = stack.at(-2);
  if (previous !== undefined) return previous;
  throw new StagecraftError(
    "failed_precondition",
    `${name} was in no other version before: there is nothing to roll back to`,
  );
}

/** What there is instead of a model that is not in the list. */
export function notFound(
  file: string,
  { models }: RegistryContent,
  { name, number }: ModelReference,
): StagecraftError {
  const all = models[name]?.versions ?? [];
  const known = Object.keys(models).join(", ") || "none yet";
  const reason =
    all.length === 0
      ? `${file} has no model ${name}; it has ${known}`
      : number === undefined
        ? `no version of ${name} is in use yet; promote one of ${all[0]!.version} to ${all.at(-1)!.version}`
        : `${name} has no version ${number}; it has ${all[0]!.version} to ${all.at(-1)!.version}`;
  return new StagecraftError("not_found", reason, { details: { file, name } });
}
