import type { PersonRole } from "../../http/api/index.js";
import type { Tx } from "../../store/database.js";
import { writeAudit } from "../audit.js";
import { addPerson, personById, type KnownPerson } from "../people.js";
import { hashOfSecret } from "../secrets.js";
import { endSessionsOf } from "../sessions.js";
import type { Claims } from "./id-token.js";

/** What people of a provider may do. */
export interface RoleRules {
  /** The claim that decides, such as `groups`. */
  claim: string;
  /** Its values and what they give; empty: operators invite people by their e-mail address. */
  roles: ReadonlyMap<string, readonly PersonRole[]>;
}

export interface Known {
  issuer: string;
  claims: Claims;
  rules: RoleRules;
}

/**
 * Who somebody of the provider is here: once known by his `sub`, before by the address that he was invited
 * under, or made anew where claims give roles. Undefined for somebody who has no part here.
 */
export async function personOfClaims(
  tx: Tx,
  { issuer, claims, rules }: Known,
): Promise<KnownPerson | undefined> {
  const subject = `${issuer} ${claims.sub}`;
  const roles = rolesOf(claims, rules);
  const isMapped = rules.roles.size > 0;
  if (isMapped && roles.length === 0) return void (await leave(tx, subject));
  const id = (await idOfSubject(tx, subject)) ?? (await bind(tx, subject, claims));
  const known = id === undefined ? undefined : await personById(tx, id);
  if (known && !known.active) return undefined;
  if (!isMapped) return known;
  if (!known) return create(tx, { subject, name: await freeName(tx, claims), roles });
  if (sameRoles(known.roles, roles)) return known;
  await changeRoles(tx, known.id, roles);
  return { ...known, roles };
}

/** Who has lost all of his groups loses at once what he could do here, on every device and by password. */
async function leave(tx: Tx, subject: string): Promise<void> {
  const id = await idOfSubject(tx, subject);
  const known = id === undefined ? undefined : await personById(tx, id);
  if (!known || known.roles.length === 0) return;
  await changeRoles(tx, known.id, []);
  await endSessionsOf(tx, known.id);
}

async function changeRoles(tx: Tx, id: string, roles: PersonRole[]): Promise<void> {
  const change = tx.updateTable("people").set({ roles: JSON.stringify(roles) });
  await change.where("id", "=", id).execute();
  const note = { who: "system", action: "person.change", subject: id };
  await writeAudit(tx, { ...note, details: { roles, by: "claim" } });
}

async function idOfSubject(tx: Tx, subject: string): Promise<string | undefined> {
  const query = tx.selectFrom("people").select("id").where("oidc_subject", "=", subject);
  return (await query.executeTakeFirst())?.id;
}

/** Somebody whom an operator has invited under an address that the provider has seen to be his. */
async function bind(tx: Tx, subject: string, claims: Claims): Promise<string | undefined> {
  const email = verifiedEmail(claims);
  if (email === undefined) return undefined;
  const bound = await tx
    .updateTable("people")
    .set({ oidc_subject: subject })
    .where((eb) => eb(eb.fn("lower", ["name"]), "=", email.toLowerCase()))
    .where("oidc_subject", "is", null)
    .returning("id")
    .executeTakeFirst();
  if (bound) {
    const note = { who: "system", action: "person.bind", subject: bound.id };
    await writeAudit(tx, { ...note, details: { email } });
  }
  return bound?.id;
}

async function create(
  tx: Tx,
  { subject, name, roles }: { subject: string; name: string; roles: PersonRole[] },
): Promise<KnownPerson> {
  const id = await addPerson(tx, name, roles);
  const bound = tx.updateTable("people").set({ oidc_subject: subject }).where("id", "=", id);
  await bound.execute();
  const note = { who: "system", action: "person.add", subject: id };
  await writeAudit(tx, { ...note, details: { name, roles, by: "claim" } });
  return (await personById(tx, id))!;
}

function rolesOf(claims: Claims, { claim, roles }: RoleRules): PersonRole[] {
  const given = claims[claim];
  const values = Array.isArray(given) ? given : [given];
  const found = values.flatMap((value) =>
    typeof value === "string" ? (roles.get(value) ?? []) : [],
  );
  return [...new Set(found)];
}

const sameRoles = (a: readonly PersonRole[], b: readonly PersonRole[]) =>
  a.length === b.length && a.every((role) => b.includes(role));

function verifiedEmail({ email, email_verified: isVerified }: Claims): string | undefined {
  return typeof email === "string" && isVerified === true ? email : undefined;
}

/** What the gateway itself goes by: in the audit nobody else may. */
const OWN_NAMES = ["operator", "system", "test"];
const MAX_NAME = 80;

/**
 * How somebody is called here whom nobody has invited. Names are unique here and at the provider they are
 * not: a second one of a name is told apart by the start of a hash of his `sub`.
 */
async function freeName(tx: Tx, { sub, ...claims }: Claims): Promise<string> {
  const { name, preferred_username: username } = claims;
  const all = [verifiedEmail({ sub, ...claims }), name, username];
  const given = all.find((text) => typeof text === "string" && text.trim() !== "");
  const first = String(given ?? sub).slice(0, MAX_NAME);
  const query = tx.selectFrom("people").select("id");
  const taken = await query
    .where((eb) => eb(eb.fn("lower", ["name"]), "=", first.toLowerCase()))
    .executeTakeFirst();
  if (!taken && !OWN_NAMES.includes(first.toLowerCase())) return first;
  const mark = ` (${hashOfSecret(String(sub)).slice(0, 8)})`;
  return first.slice(0, MAX_NAME - mark.length) + mark;
}
