import { UNICODE_TABLES } from "./unicode-tables.js";

type Range = readonly [first: number, last: number];

const bodies = new Map<string, string>();

/**
 * What stands between the brackets of a character class for `\p{L}`, `\p{M}` or `\p{N}` (negated for
 * `\P`), the same under every version of Node; undefined for other properties.
 */
export function unicodeClassBody(property: string, negated: boolean): string | undefined {
  if (!(property in UNICODE_TABLES)) return undefined;
  const key = `${negated ? "^" : ""}${property}`;
  let body = bodies.get(key);
  if (body === undefined) {
    const ranges = decodeTable(UNICODE_TABLES[property as keyof typeof UNICODE_TABLES]);
    body = (negated ? complement(ranges) : ranges).map(spellRange).join("");
    bodies.set(key, body);
  }
  return body;
}

function decodeTable(table: string): Range[] {
  const numbers = table.split(" ").map((digits) => Number.parseInt(digits, 36));
  const ranges: Range[] = [];
  let end = 0;
  for (let i = 0; i < numbers.length; i += 2) {
    const first = end + numbers[i]!;
    end = first + numbers[i + 1]!;
    ranges.push([first, end - 1]);
  }
  return ranges;
}

function complement(ranges: readonly Range[]): Range[] {
  const gaps: Range[] = [];
  let next = 0;
  for (const [first, last] of ranges) {
    if (first > next) gaps.push([next, first - 1]);
    next = last + 1;
  }
  gaps.push([next, 0x10ffff]);
  return gaps;
}

function spellRange([first, last]: Range): string {
  const spell = (codePoint: number) => `\\u{${codePoint.toString(16)}}`;
  return first === last ? spell(first) : `${spell(first)}-${spell(last)}`;
}
