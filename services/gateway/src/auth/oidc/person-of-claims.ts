import type { PersonRole } from "../../http/api/index.js";
import type { Tx } from "../../store/database.js";
import { writeAudit } from "../audit.js";
import { addPerson, personById, type KnownPerson } from "../people.js";
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
  if (isMapped && roles.length === 0) return undefined;
  const id = (await idOfSubject(tx, subject)) ?? (await bind(tx, subject, claims));
  const known = id === undefined ? undefined : await personById(tx, id);
  if (known && !known.active) return undefined;
  if (!isMapped) return known;
  if (!known) return create(tx, { subject, name: nameOf(claims), roles });
  if (sameRoles(known.roles, roles)) return known;
  await tx
    .updateTable("people")
    .set({ roles: JSON.stringify(roles) })
    .where("id", "=", known.id)
    .execute();
  const note = { who: "system", action: "person.change", subject: known.id };
  await writeAudit(tx, { ...note, details: { roles, by: "claim" } });
  return { ...known, roles };
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

/** How somebody is called here whom nobody has invited; cut to what a name may be long. */
function nameOf(claims: Claims): string {
  const { name, preferred_username: username, sub } = claims;
  const first = [verifiedEmail(claims), name, username].find((text) => typeof text === "string");
  return String(first ?? sub).slice(0, 80);
}
