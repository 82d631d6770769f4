import { StagecraftError } from "@stagecraft/core";

/** Planes of Unicode that are for private use: nobody's language has characters there. */
const PLANES = [0xf0000, 0x100000];
const MAX_MARKS = 0xfff0;

/** Characters that a text does not have, one a number. */
export type PrivateMarks = (index: number) => string;

/**
 * Marks for a conversation: characters of a private plane that no string in it uses.
 * @throws `invalid_argument` when it uses both planes
 */
export function privateMarks(value: unknown): PrivateMarks {
  const text = JSON.stringify(value);
  const plane = PLANES.find((start) => !usesPlane(text, start));
  if (plane === undefined) {
    throw new StagecraftError(
      "invalid_argument",
      "a conversation uses characters of both private planes of Unicode; remove them",
    );
  }
  return (index) => String.fromCodePoint(plane + (index % MAX_MARKS));
}

function usesPlane(text: string, start: number): boolean {
  for (const char of text) {
    const codePoint = char.codePointAt(0)!;
    if (codePoint >= start && codePoint < start + 0x10000) return true;
  }
  return false;
}

/** The value with `change` made to every string in it, keys left alone. */
export function mapStrings<T>(value: T, change: (text: string) => string): T {
  if (typeof value === "string") return change(value) as T;
  if (Array.isArray(value)) return value.map((item: unknown) => mapStrings(item, change)) as T;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, mapStrings<unknown>(item, change)]),
  ) as T;
}
