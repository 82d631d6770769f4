import type { Conversation, PromptRecord, Ranking } from "../../types.js";
import type { Fields } from "./fields.js";

/** What the stages read, by what they call it. */
export interface RecordKinds {
  conversations: Conversation;
  rankings: Ranking;
  prompts: PromptRecord;
}

/**
 * One way to write records down. A format reads as many kinds as its records hold; each reader gives
 * what one record says, and throws `RecordProblem` with the reason when the record is malformed.
 */
export interface RecordFormat {
  readonly name: string;
  /** Whether a record looks like this format, by the fields that it has. */
  matches(fields: Fields): boolean;
  conversations?(fields: Fields): Conversation[];
  rankings?(fields: Fields): Ranking[];
  /** A prompt without an id of its own gets the one given. */
  prompts?(fields: Fields, id: string): PromptRecord[];
}
