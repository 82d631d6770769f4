import type { Generated, JSONColumnType } from "kysely";
import type { DraftTurn, PersonRole, Turn } from "../http/api/index.js";

/** Rows of the database, as the migrations make it. */
export interface Tables {
  counters: CountersTable;
  settings: { name: string; value: JSONColumnType<object> };
  imports: { source: string; imported_at: Generated<Date> };
  people: PeopleTable;
  sign_in_links: SignInLinksTable;
  sessions: SessionsTable;
  api_keys: ApiKeysTable;
  comparisons: ComparisonsTable;
  assignments: AssignmentsTable;
  feedback: FeedbackTable;
  requests: RequestsTable;
  drafts: DraftsTable;
  answers: AnswersTable;
  votes: VotesTable;
  loops: LoopsTable;
  loop_rounds: LoopRoundsTable;
  audit: AuditTable;
}

/** How many rows of an ordered table there are; its lock puts writers in a row, so that positions have no gap. */
interface CountersTable {
  name: "comparisons" | "feedback";
  value: number;
}

interface PeopleTable {
  id: string;
  name: string;
  roles: JSONColumnType<PersonRole[]>;
  active: boolean;
  password_hash: string | null;
  /** Issuer and `sub`, of somebody who has signed in at a provider. */
  oidc_subject: string | null;
  created_at: Generated<Date>;
  last_seen_at: Date | null;
}

interface SignInLinksTable {
  token_hash: string;
  person_id: string;
  expires_at: Date;
  used_at: Date | null;
}

interface SessionsTable {
  id_hash: string;
  person_id: string;
  csrf_token: string;
  expires_at: Date;
  created_at: Generated<Date>;
}

interface ApiKeysTable {
  id: string;
  name: string;
  prefix: string;
  key_hash: string;
  scopes: JSONColumnType<string[]>;
  requests_per_minute: number | null;
  tokens_per_minute: number | null;
  concurrent: number | null;
  created_at: Generated<Date>;
  last_used_at: Date | null;
}

interface ComparisonsTable {
  position: number;
  id: string;
  /** `feedback.Comparison` as JSON. */
  body: JSONColumnType<object>;
  bytes: number;
  batch: string;
  created_at: Generated<Date>;
  withdrawn_at: Date | null;
  /** People who ranked it. */
  ranked: Generated<number>;
  /** The right ranks of a gold item. */
  gold: JSONColumnType<number[] | null, string | null, string | null>;
}

export type AssignmentState = "held" | "ranked" | "skipped";

interface AssignmentsTable {
  id: string;
  comparison_id: string;
  person_id: string;
  /** For each place on the screen, the index of the answer in the comparison. */
  shown: JSONColumnType<number[]>;
  state: AssignmentState;
  held_at: Date;
  /** Of a held one; whoever comes later may find the place taken. */
  expires_at: Date;
  ended_at: Date | null;
  elapsed_ms: number | null;
  skip_reason: string | null;
  skip_comment: string | null;
}

interface FeedbackTable {
  position: number;
  id: string;
  kind: "ranking" | "demonstration" | "flag";
  rater: string;
  comparison_id: string;
  /** Of a ranking by a known rater: prompt and answers as one hash; his last with it stands. */
  matter: string | null;
  revised: Generated<boolean>;
  /** `feedback.Feedback` as JSON. */
  body: JSONColumnType<object>;
  bytes: number;
  created_at: Date;
}

interface RequestsTable {
  id: string;
  turns: JSONColumnType<Turn[]>;
  created_at: Generated<Date>;
}

interface DraftsTable {
  id: string;
  person_id: string;
  request_id: string | null;
  turns: JSONColumnType<DraftTurn[]>;
  revision: number;
  updated_at: Date;
  /** The demonstration that it has become. */
  feedback_id: string | null;
}

interface AnswersTable {
  id: string;
  person_id: string;
  purpose: "write" | "break" | "chat";
  turns: JSONColumnType<Turn[]>;
  text: string;
  model_version: string;
  created_at: Generated<Date>;
}

interface VotesTable {
  id: string;
  person_id: string;
  answer_id: string;
  vote: "up" | "down" | "better";
  than_id: string | null;
  comment: string;
  created_at: Generated<Date>;
}

interface LoopsTable {
  name: string;
  /** `feedback.ReportLoopRequest` as JSON. */
  body: JSONColumnType<object>;
  updated_at: Date;
}

interface LoopRoundsTable {
  loop: string;
  round: number;
  /** `feedback.LoopRoundResult` as JSON. */
  body: JSONColumnType<object>;
  finished_at: Date;
}

interface AuditTable {
  id: Generated<number>;
  at: Generated<Date>;
  who: string;
  action: string;
  subject: string;
  details: JSONColumnType<Record<string, unknown>>;
}
