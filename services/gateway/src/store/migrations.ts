/** One step of the schema. A step that has been published is never changed: another one follows. */
export interface Migration {
  name: string;
  sql: readonly string[];
}

/**
 * In order. Bodies are `json`, not `jsonb`: that keeps every text as it came, NUL characters included.
 */
export const MIGRATIONS: readonly Migration[] = [
  {
    name: "0001 people and feedback",
    sql: [
      `create table counters (name text primary key, value integer not null)`,
      `insert into counters values ('comparisons', 0), ('feedback', 0)`,
      `create table settings (name text primary key, value json not null)`,
      `create table imports (source text primary key, imported_at timestamptz not null default now())`,
      `create table people (
        id text primary key, name text not null unique, roles json not null,
        active boolean not null default true, password_hash text,
        created_at timestamptz not null default now(), last_seen_at timestamptz)`,
      `create table sign_in_links (
        token_hash text primary key, person_id text not null references people,
        expires_at timestamptz not null, used_at timestamptz)`,
      `create table sessions (
        id_hash text primary key, person_id text not null references people, csrf_token text not null,
        expires_at timestamptz not null, created_at timestamptz not null default now())`,
      `create index sessions_of_person on sessions (person_id)`,
      `create table api_keys (
        id text primary key, name text not null unique, prefix text not null, key_hash text not null unique,
        scopes json not null, requests_per_minute integer,
        created_at timestamptz not null default now(), last_used_at timestamptz)`,
      `create table comparisons (
        position integer primary key, id text not null unique, body json not null, bytes integer not null,
        batch text not null, created_at timestamptz not null default now(), withdrawn_at timestamptz,
        ranked integer not null default 0, gold json)`,
      `create index comparisons_of_batch on comparisons (batch)`,
      `create index comparisons_in_queue on comparisons (ranked, position) where withdrawn_at is null`,
      `create table assignments (
        id text primary key, comparison_id text not null references comparisons (id),
        person_id text not null, shown json not null,
        state text not null check (state in ('held', 'ranked', 'skipped')),
        held_at timestamptz not null, expires_at timestamptz not null, ended_at timestamptz,
        elapsed_ms integer, skip_reason text, skip_comment text,
        unique (comparison_id, person_id))`,
      `create index assignments_of_person on assignments (person_id, state)`,
      `create index assignments_held on assignments (comparison_id) where state = 'held'`,
      `create table feedback (
        position integer primary key, id text not null unique,
        kind text not null check (kind in ('ranking', 'demonstration', 'flag')),
        rater text not null, comparison_id text not null, matter text,
        revised boolean not null default false, body json not null, bytes integer not null,
        created_at timestamptz not null)`,
      `create index feedback_of_kind on feedback (kind, position)`,
      `create index feedback_of_rater on feedback (rater, kind)`,
      `create index feedback_of_comparison on feedback (comparison_id) where comparison_id <> ''`,
      `create index feedback_of_matter on feedback (matter) where matter is not null`,
      `create table requests (
        id text primary key, turns json not null, created_at timestamptz not null default now())`,
      `create table drafts (
        id text primary key, person_id text not null references people, request_id text,
        turns json not null, revision integer not null, updated_at timestamptz not null,
        feedback_id text)`,
      `create index drafts_of_person on drafts (person_id)`,
      `create table answers (
        id text primary key, person_id text not null references people, purpose text not null,
        turns json not null, text text not null, model_version text not null,
        created_at timestamptz not null default now())`,
      `create table votes (
        id text primary key, person_id text not null references people,
        answer_id text not null references answers, vote text not null,
        than_id text references answers, comment text not null,
        created_at timestamptz not null default now())`,
      `create table loops (name text primary key, body json not null, updated_at timestamptz not null)`,
      `create table loop_rounds (
        loop text not null, round integer not null, body json not null, finished_at timestamptz not null,
        primary key (loop, round))`,
      `create table audit (
        id integer generated always as identity primary key, at timestamptz not null default now(),
        who text not null, action text not null, subject text not null, details json not null)`,
    ],
  },
  {
    name: "0002 limits of keys",
    sql: [
      `alter table api_keys add column tokens_per_minute integer, add column concurrent integer`,
    ],
  },
  {
    name: "0003 people of a provider",
    sql: [`alter table people add column oidc_subject text unique`],
  },
];
