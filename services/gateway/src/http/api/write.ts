import type { Paged, Turn } from "./turns.js";

/** A turn that is being written. */
export interface DraftTurn extends Turn {
  /** The model's answer that it began as (`answerId` of its stream): the change is kept. Null: from nothing. */
  answerId: string | null;
  /** What the model had written, so that the change can be shown. From the server only. */
  draft?: string | null;
}

/** `POST /api/write/next` (no body): a request to answer that this person has not answered. */
export interface NextRequest {
  request: { requestId: string; turns: Turn[] } | null;
}

/** A demonstration in the making; it belongs to one person. */
export interface Draft {
  draftId: string;
  /** The request that was given; null: the writer plays the user too. */
  requestId: string | null;
  turns: DraftTurn[];
  /** Grows by one with each change. */
  revision: number;
  updatedAt: string;
}

/** `GET /api/write/drafts`: one's own that are not submitted, the last changed first. */
export interface Drafts {
  drafts: Draft[];
}

/** `POST /api/write/drafts`. Answers `Draft`. */
export interface CreateDraft {
  submissionId: string;
  requestId: string | null;
  turns: DraftTurn[];
}

/**
 * `PUT /api/write/drafts/:draftId`. Answers `Draft`; `aborted` if the draft has another revision by now
 * (open in a second window). `DELETE /api/write/drafts/:draftId` drops it.
 */
export interface SaveDraft {
  revision: number;
  turns: DraftTurn[];
}

/**
 * `POST /api/write/answers`: the model's draft of the next turn. Answers with the event stream of
 * `AnswerEvent`; the page puts the answer's id into the turn that it becomes.
 */
export interface AskForDraft {
  /** Ends with the user's turn. */
  turns: Turn[];
  /** `ServedModel.id`; empty = the current one. */
  model: string;
}

/** `POST /api/write/drafts/:draftId/submit`: the draft's last state is the demonstration. */
export interface SubmitDraft {
  submissionId: string;
  revision: number;
}

export interface DemonstrationStored {
  demonstrationId: string;
}

/** One's own; with what the model had written, so that the change can be shown. */
export interface OwnDemonstration {
  demonstrationId: string;
  createdAt: string;
  /** `draft`: the model's text that the turn began as; null: from nothing. */
  turns: (Turn & { draft: string | null })[];
}

/** `GET /api/write/demonstrations`: newest first. */
export type OwnDemonstrations = Paged<OwnDemonstration>;
