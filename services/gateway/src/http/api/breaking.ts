import type { FlagCategory, FlagStored } from "./flag.js";
import type { Turn } from "./turns.js";

/**
 * `POST /api/break/answers`: sends a message to a served model. Answers with the event stream of
 * `AnswerEvent`. `GET /api/models` lists the models.
 */
export interface AskToBreak {
  /** Ends with the user's turn. */
  turns: Turn[];
  /** `ServedModel.id`; empty = the current one. */
  model: string;
}

/** `POST /api/break/flags`: keeps an answer that should not have been given. Answers `FlagStored`. */
export interface FlagConversation {
  submissionId: string;
  /** The answer's id from its event stream; the conversation up to it is known to the server. */
  answerId: string;
  category: FlagCategory;
  /** At most 10,000 characters. */
  comment: string;
}

/** `GET /api/break/flags`: one's own, newest first (`Paged<OwnFlag>`). */
export interface OwnFlag extends FlagStored {
  createdAt: string;
  category: FlagCategory;
  comment: string;
  turns: Turn[];
}
