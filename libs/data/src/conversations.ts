import { readKind } from "./read-records.js";
import type { Conversation, RecordOptions } from "./types.js";

/**
 * Demonstrations from files or folders of them, in order, in any format of docs/data.md.
 * @throws `invalid_argument` with file and line when more than `maxBadRecords` are malformed
 */
export function readConversations(
  paths: string | readonly string[],
  options: RecordOptions = {},
): AsyncGenerator<Conversation> {
  return readKind("conversations", paths, options);
}
