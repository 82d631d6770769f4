import type { Db, Tx } from "../store/database.js";
import { knownPerson, type KnownPerson } from "./people.js";
import { hashOfSecret, newSecret } from "./secrets.js";

/** How long somebody stays signed in. */
export const SESSION_MS = 14 * 24 * 60 * 60_000;

export interface SignedIn {
  person: KnownPerson;
  csrfToken: string;
  sessionHash: string;
}

/** Begins a session; returns what the cookie holds. */
export async function beginSession(
  tx: Tx,
  person: KnownPerson,
  now: Date,
): Promise<{ cookie: string; signedIn: SignedIn }> {
  const [cookie, csrfToken] = [newSecret(), newSecret()];
  const sessionHash = hashOfSecret(cookie);
  await tx.deleteFrom("sessions").where("expires_at", "<=", now).execute();
  await tx
    .insertInto("sessions")
    .values({
      id_hash: sessionHash,
      person_id: person.id,
      csrf_token: csrfToken,
      expires_at: new Date(now.getTime() + SESSION_MS),
    })
    .execute();
  await tx.updateTable("people").set({ last_seen_at: now }).where("id", "=", person.id).execute();
  return { cookie, signedIn: { person, csrfToken, sessionHash } };
}

/** Who a cookie is; undefined for a session that has ended or a person who may not sign in any more. */
export const findSession = (db: Db, cookie: string, now: Date) =>
  findSessionByHash(db, hashOfSecret(cookie), now);

/** The same for what is kept of the cookie. */
export async function findSessionByHash(
  db: Db,
  sessionHash: string,
  now: Date,
): Promise<SignedIn | undefined> {
  const row = await db
    .selectFrom("sessions")
    .innerJoin("people", "people.id", "sessions.person_id")
    .select(["csrf_token", "people.id", "name", "roles", "active", "password_hash"])
    .where("id_hash", "=", sessionHash)
    .where("expires_at", ">", now)
    .where("active", "=", true)
    .executeTakeFirst();
  return row && { person: knownPerson(row), csrfToken: row.csrf_token, sessionHash };
}

export async function endSession(db: Db, sessionHash: string): Promise<void> {
  await db.deleteFrom("sessions").where("id_hash", "=", sessionHash).execute();
}

/** Ends all sessions of a person, or all but one. */
export async function endSessionsOf(tx: Tx, personId: string, butHash = ""): Promise<void> {
  await tx
    .deleteFrom("sessions")
    .where("person_id", "=", personId)
    .where("id_hash", "<>", butHash)
    .execute();
}
