import { StagecraftError } from "@stagecraft/core";
import { RecordProblem } from "../../bad-records.js";
import { alpacaFormat } from "./alpaca.js";
import { dollyFormat } from "./dolly.js";
import { fieldsOf, type Fields } from "./fields.js";
import { hhRlhfFormat } from "./hh-rlhf.js";
import { ktoFormat } from "./kto.js";
import { messagesFormat } from "./messages.js";
import { nectarFormat } from "./nectar.js";
import { oasstFormat, oasstTableFormat } from "./oasst.js";
import { pairsFormat } from "./pairs.js";
import { promptCompletionFormat } from "./prompt-completion.js";
import { promptFormat } from "./prompt.js";
import { questionFormat } from "./question.js";
import { rankingFormat } from "./ranking.js";
import type { RecordFormat, RecordKinds } from "./record-format.js";
import { selfInstructFormat } from "./self-instruct.js";
import { shareGptFormat } from "./sharegpt.js";
import { shpFormat } from "./shp.js";
import { textPromptFormat } from "./text-prompt.js";
import { ultraFeedbackFormat } from "./ultrafeedback.js";

/** Every format of records. A record is read as the first that it looks like, so special ones stand first. */
export const RECORD_FORMATS: readonly RecordFormat[] = [
  oasstFormat,
  oasstTableFormat,
  ktoFormat,
  hhRlhfFormat,
  ultraFeedbackFormat,
  nectarFormat,
  shpFormat,
  rankingFormat,
  pairsFormat,
  messagesFormat,
  shareGptFormat,
  selfInstructFormat,
  dollyFormat,
  alpacaFormat,
  promptCompletionFormat,
  promptFormat,
  questionFormat,
  textPromptFormat,
];

const NEEDS: Record<keyof RecordKinds, string> = {
  conversations:
    `a conversation needs "messages", "conversations", "prompt" with "completion", "question" with ` +
    `"answer", or "instruction" with "output", "response" or "instances" (docs/data.md)`,
  rankings:
    `a ranking needs "prompt", "answers" and "ranks", or "chosen" and "rejected", or one of the other ` +
    `formats of docs/data.md`,
  prompts: `a prompt needs "messages", "prompt", "instruction", "question" or "text" (docs/data.md)`,
};

/** A format that surely reads the kind. */
export type FormatOf<K extends keyof RecordKinds> = RecordFormat & Required<Pick<RecordFormat, K>>;

/** The formats that read a kind, in the order in which they are tried. */
export function formatsOf<K extends keyof RecordKinds>(kind: K): FormatOf<K>[] {
  return RECORD_FORMATS.filter((format): format is FormatOf<K> => format[kind] !== undefined);
}

/** The names of the formats that read a kind. */
export function recordFormatNames(kind: keyof RecordKinds): string[] {
  return formatsOf(kind).map(({ name }) => name);
}

/** The format in which a record says something of this kind; a `RecordProblem` when in none. */
export function formatFor<K extends keyof RecordKinds>(kind: K, fields: Fields): FormatOf<K> {
  const format = formatsOf(kind).find((candidate) => candidate.matches(fields));
  if (format) return format;
  throw new RecordProblem(`${NEEDS[kind]}; ${fieldsOf(fields)}`);
}

/** The format of that name. Throws `invalid_argument` with all names when there is none for the kind. */
export function formatNamed<K extends keyof RecordKinds>(kind: K, name: string): FormatOf<K> {
  const format = formatsOf(kind).find((candidate) => candidate.name === name);
  if (format) return format;
  throw new StagecraftError(
    "invalid_argument",
    `format: "${name}" does not read ${kind}; choose one of ${recordFormatNames(kind).join(", ")}, or leave it out`,
  );
}
