import { RecordProblem } from "../../bad-records.js";
import { alpacaFormat } from "./alpaca.js";
import { fieldsOf, type Fields } from "./fields.js";
import { messagesFormat } from "./messages.js";
import { promptFormat } from "./prompt.js";
import { rankingFormat } from "./ranking.js";
import type { RecordFormat, RecordKinds } from "./record-format.js";
import { selfInstructFormat } from "./self-instruct.js";

/** Every format of records. A record is read as the first that it looks like, so special ones stand first. */
export const RECORD_FORMATS: readonly RecordFormat[] = [
  messagesFormat,
  selfInstructFormat,
  alpacaFormat,
  rankingFormat,
  promptFormat,
];

const NEEDS: Record<keyof RecordKinds, string> = {
  conversations: `a conversation needs "messages", or "instruction" with "output" or "instances"`,
  rankings: `a ranking needs "prompt", "answers" and "ranks" (docs/data.md)`,
  prompts: `a request needs "messages" or "prompt"`,
};

/** A format that surely reads the kind. */
export type FormatOf<K extends keyof RecordKinds> = RecordFormat & Required<Pick<RecordFormat, K>>;

/** The format in which a record says something of this kind; a `RecordProblem` when in none. */
export function formatFor<K extends keyof RecordKinds>(kind: K, fields: Fields): FormatOf<K> {
  const reads = (format: RecordFormat): format is FormatOf<K> => format[kind] !== undefined;
  const format = RECORD_FORMATS.filter(reads).find((candidate) => candidate.matches(fields));
  if (format) return format;
  throw new RecordProblem(`${NEEDS[kind]}; ${fieldsOf(fields)}`);
}
