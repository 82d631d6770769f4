import { StagecraftError } from "@stagecraft/core";

/** Values that `${…}` can stand for: variables by name, outputs as `stage.output`. */
export type Bindings = ReadonlyMap<string, string | number | boolean>;

const REFERENCE = /\$\{([^}]*)\}/g;

/** Every name referred to inside a value, in order, with repeats. */
export function findReferences(value: unknown): string[] {
  if (typeof value === "string") return [...value.matchAll(REFERENCE)].map((match) => match[1]!);
  if (typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap(findReferences);
}

/**
 * The value with every `${name}` replaced. A string that is one reference takes the bound value's
 * type; inside a longer string it becomes text. Throws not_found naming what could have been meant.
 */
export function resolveReferences(value: unknown, bindings: Bindings): unknown {
  if (typeof value === "string") return resolveText(value, bindings);
  if (Array.isArray(value)) return value.map((each) => resolveReferences(each, bindings));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [key, resolveReferences(each, bindings)]),
  );
}

function resolveText(text: string, bindings: Bindings): string | number | boolean {
  const whole = /^\$\{([^}]*)\}$/.exec(text);
  if (whole) return lookUp(whole[1]!, bindings);
  return text.replace(REFERENCE, (_, name: string) => String(lookUp(name, bindings)));
}

function lookUp(name: string, bindings: Bindings): string | number | boolean {
  const value = bindings.get(name);
  if (value !== undefined) return value;
  const known = [...bindings.keys()].map((key) => `\${${key}}`).join(", ") || "nothing";
  throw new StagecraftError("not_found", `\${${name}} is not defined here; known: ${known}`);
}
