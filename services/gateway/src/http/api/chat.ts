import type { Turn } from "./turns.js";

export interface Sampling {
  /** 0 to 2. */
  temperature: number;
  /** Above 0, to 1. */
  topP: number;
  /** 1 to 4096. */
  maxTokens: number;
  seed: number | null;
}

/** `POST /api/chat/answers`: answers with the event stream of `AnswerEvent`. */
export interface AskChat {
  turns: Turn[];
  /** `ServedModel.id`; empty = the current one. */
  model: string;
  sampling: Partial<Sampling>;
}

/** `POST /api/chat/votes`: thumbs, or the better of two answers to the same turns. */
export interface Vote {
  submissionId: string;
  answerId: string;
  vote: "up" | "down" | "better";
  /** With `better`: the answer that is worse. */
  than: string | null;
  comment: string;
}

export interface VoteStored {
  voteId: string;
}
