import { StagecraftError } from "@stagecraft/core";
import { RecordProblem } from "./bad-records.js";
import { fieldsOf, has, type Fields } from "./formats/records/fields.js";

/**
 * Columns as a configuration names them: `OURS=THEIRS`, such as `prompt=question`, with commas between.
 * @throws `invalid_argument` for anything else, and for a field that is named twice
 */
export function columnsOf(texts: readonly string[]): Record<string, string> {
  const columns: Record<string, string> = {};
  for (const text of texts.flatMap((list) => list.split(","))) {
    const [ours = "", theirs = "", ...more] = text.split("=").map((name) => name.trim());
    if (ours === "" || theirs === "" || more.length > 0) {
      throw wrong(`"${text}" is not FIELD=COLUMN, such as prompt=question`);
    }
    if (Object.hasOwn(columns, ours)) throw wrong(`"${ours}" is named twice`);
    columns[ours] = theirs;
  }
  return columns;
}

const wrong = (reason: string) => new StagecraftError("invalid_argument", `columns: ${reason}`);

/** The record with its columns under our names; a column that is missing is a `RecordProblem`. */
export function renamed(fields: Fields, columns: Readonly<Record<string, string>>): Fields {
  const pairs = Object.entries(columns);
  if (pairs.length === 0) return fields;
  const taken = new Set(Object.values(columns));
  const others = Object.entries(fields).filter(([name]) => !taken.has(name));
  const moved = pairs.map(([ours, theirs]): [string, unknown] => {
    if (has(fields, theirs)) return [ours, fields[theirs]];
    throw new RecordProblem(`there is no column "${theirs}" for "${ours}"; ${fieldsOf(fields)}`);
  });
  return Object.fromEntries([...others, ...moved]);
}
