import { randomUUID } from "node:crypto";
import { StagecraftError } from "@stagecraft/core";
import type { PersonRole } from "../http/api/index.js";
import type { Db, Tx } from "../store/database.js";
import { hashOfSecret, newSecret } from "./secrets.js";

export interface KnownPerson {
  id: string;
  name: string;
  roles: PersonRole[];
  active: boolean;
  hasPassword: boolean;
}

/** How long a sign-in link works. */
const LINK_MS = 3 * 24 * 60 * 60_000;

/** Adds a person; names are unique. */
export async function addPerson(tx: Tx, name: string, roles: PersonRole[]): Promise<string> {
  const id = `p-${randomUUID().slice(0, 8)}`;
  const inserted = await tx
    .insertInto("people")
    .values({ id, name, roles: JSON.stringify(roles), active: true })
    .onConflict((conflict) => conflict.column("name").doNothing())
    .returning("id")
    .executeTakeFirst();
  if (inserted) return id;
  throw new StagecraftError("already_exists", `there is a person named ${name} already`, {
    details: { field: "name", advice: "choose another name" },
  });
}

export async function personById(db: Db | Tx, id: string): Promise<KnownPerson | undefined> {
  const row = await db.selectFrom("people").selectAll().where("id", "=", id).executeTakeFirst();
  return row && knownPerson(row);
}

/** Of a row: whether there is a password, not its hash. */
export function knownPerson({
  id,
  name,
  roles,
  active,
  password_hash,
}: Omit<KnownPerson, "hasPassword"> & { password_hash: string | null }): KnownPerson {
  return { id, name, roles, active, hasPassword: password_hash !== null };
}

/** A new link's token; links that this person has not used yet end. */
export async function newSignInToken(
  tx: Tx,
  personId: string,
  now: Date,
): Promise<{ token: string; expiresAt: Date }> {
  await tx.deleteFrom("sign_in_links").where("person_id", "=", personId).execute();
  const token = newSecret();
  const expiresAt = new Date(now.getTime() + LINK_MS);
  const link = { token_hash: hashOfSecret(token), person_id: personId, expires_at: expiresAt };
  await tx.insertInto("sign_in_links").values(link).execute();
  return { token, expiresAt };
}

/** The person whom a link signs in; it works once. Undefined for one that is used, expired or wrong. */
export async function takeSignInToken(
  tx: Tx,
  token: string,
  now: Date,
): Promise<KnownPerson | undefined> {
  const used = await tx
    .updateTable("sign_in_links")
    .set({ used_at: now })
    .where("token_hash", "=", hashOfSecret(token))
    .where("used_at", "is", null)
    .where("expires_at", ">", now)
    .returning("person_id")
    .executeTakeFirst();
  const person = used && (await personById(tx, used.person_id));
  return person?.active ? person : undefined;
}

/** A link for the first operator, an admin; a new one at each start, until somebody has signed in by it. */
export async function signInFirstOperator(tx: Tx, now: Date): Promise<string> {
  const name = "operator";
  const known = await tx
    .selectFrom("people")
    .select("id")
    .where("name", "=", name)
    .executeTakeFirst();
  const id = known?.id ?? (await addPerson(tx, name, ["admin"]));
  return (await newSignInToken(tx, id, now)).token;
}
