import { basename } from "node:path";
import { present } from "@stagecraft/core";
import { RecordProblem } from "./bad-records.js";
import {
  fieldsOf,
  messagesOf,
  objectOf,
  optionalString,
  promptMessages,
  stringList,
  type Fields,
} from "./fields.js";
import { listRecordFiles, readRecords, type RecordParser } from "./jsonl.js";
import type { PromptRecord, RecordOptions } from "./types.js";

/**
 * Requests from .jsonl(.gz) files or folders of them: `{id?, kind?, messages, reference?,
 * accepted?}`, or `{prompt: "text"}` for one message of the user. A missing id becomes "line-N", or
 * "FILE:line-N" where several files are read, so that ids differ.
 * @throws `invalid_argument` with file and line when more than `maxBadRecords` are malformed
 */
export async function* readPrompts(
  paths: string | readonly string[],
  options: RecordOptions = {},
): AsyncGenerator<PromptRecord> {
  const files = await listRecordFiles(paths);
  const prefixOf = prefixes(files);
  const parse: RecordParser<PromptRecord> = (value, { file, line }) => [
    parsePrompt(objectOf(value), `${prefixOf(file)}line-${line}`),
  ];
  yield* readRecords(files, parse, options);
}

/** What tells the lines of several files apart: their names, or their paths where names repeat. */
function prefixes(files: readonly string[]): (file: string) => string {
  if (files.length === 1) return () => "";
  const nameOf = (file: string) => basename(file).replace(/\.jsonl(\.gz)?$/, "");
  const isUnique = new Set(files.map(nameOf)).size === files.length;
  return (file) => `${isUnique ? nameOf(file) : file}:`;
}

function parsePrompt(fields: Fields, lineId: string): PromptRecord {
  const { prompt, accepted } = fields;
  if (prompt === undefined && fields["messages"] === undefined) {
    throw new RecordProblem(`a request needs "messages" or "prompt"; ${fieldsOf(fields)}`);
  }
  const messages =
    fields["messages"] === undefined
      ? promptMessages(prompt, "prompt")
      : messagesOf(fields["messages"], "messages");
  if (messages.at(-1)!.role !== "user") {
    throw new RecordProblem(`"messages" of a prompt must end with a message of the user`);
  }
  return {
    id: optionalString(fields, "id") ?? lineId,
    messages,
    ...present({
      kind: optionalString(fields, "kind"),
      reference: optionalString(fields, "reference"),
      accepted: accepted == null ? undefined : stringList(accepted, "accepted"),
    }),
  };
}
