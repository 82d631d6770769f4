import { StagecraftError } from "@stagecraft/core";
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { writeAudit } from "../../auth/audit.js";
import { addPerson, newSignInToken, personById, type KnownPerson } from "../../auth/people.js";
import { endSessionsOf } from "../../auth/sessions.js";
import { agreement, disagreements, peopleWithWork } from "../../people/overview.js";
import type {
  Agreement,
  Disagreements,
  People,
  Person,
  PersonRole,
  SignInLink,
} from "../api/index.js";
import { may, routesFor, type HttpContext } from "../context.js";
import { id, personName, role } from "../fields.js";

const roles = z.array(role).min(1).max(4);
const invitation = z.strictObject({ name: personName, roles });
const change = z.strictObject({
  name: personName.optional(),
  roles: roles.optional(),
  active: z.boolean().optional(),
});
const params = z.object({ personId: id });

/** The People page, for operators; only admins make or change operators and admins. */
export function peopleRoutes(app: FastifyInstance, context: HttpContext): void {
  const operator = routesFor(app, "operator");
  const { database, now, origin } = context;
  const { db } = database;
  const linkTo = (personId: string, { token, expiresAt }: { token: string; expiresAt: Date }) => {
    const link = `${origin()}/sign-in#${token}`;
    return { personId, link, expiresAt: expiresAt.toISOString() };
  };

  operator.get<People>("/api/people", async () => ({ people: await peopleWithWork(db) }));
  operator.get<Agreement>("/api/people/agreement", () => agreement(db));
  operator.get<Disagreements>("/api/people/disagreements", () => disagreements(db));
  operator.post<SignInLink>("/api/people/invite", async (operator, request) => {
    const { name, roles: given } = invitation.parse(request.body);
    checkMayGive(operator, given);
    return database.transact(async (tx) => {
      const personId = await addPerson(tx, name, given);
      const details = { name, roles: given };
      await writeAudit(tx, {
        who: operator.name,
        action: "person.invite",
        subject: personId,
        details,
      });
      return linkTo(personId, await newSignInToken(tx, personId, now()));
    });
  });
  operator.post<SignInLink>("/api/people/:personId/link", async (operator, request) => {
    const { personId } = params.parse(request.params);
    return database.transact(async (tx) => {
      const person = known(await personById(tx, personId), personId);
      checkMayGive(operator, person.roles);
      await writeAudit(tx, { who: operator.name, action: "person.link", subject: personId });
      return linkTo(personId, await newSignInToken(tx, personId, now()));
    });
  });
  operator.patch<Person>("/api/people/:personId", async (operator, request) => {
    const { personId } = params.parse(request.params);
    const given = change.parse(request.body);
    await database.transact(async (tx) => {
      const person = known(await personById(tx, personId), personId);
      checkMayGive(operator, [...person.roles, ...(given.roles ?? [])]);
      if (personId === operator.id && (given.active === false || given.roles)) throw ownRights();
      const values = {
        ...(given.name !== undefined && { name: given.name }),
        ...(given.active !== undefined && { active: given.active }),
        ...(given.roles && { roles: JSON.stringify(given.roles) }),
      };
      if (Object.keys(values).length === 0) return;
      await tx.updateTable("people").set(values).where("id", "=", personId).execute();
      if (given.roles || given.active !== undefined) await endSessionsOf(tx, personId);
      const note = { who: operator.name, action: "person.change", subject: personId };
      await writeAudit(tx, { ...note, details: given });
    });
    return (await peopleWithWork(db)).find((person) => person.personId === personId)!;
  });
}

function known(person: KnownPerson | undefined, id: string): KnownPerson {
  if (person) return person;
  throw new StagecraftError("not_found", `there is nobody with the id ${id}`);
}

/** Nobody hands on more than he has: operators look after raters and writers. */
function checkMayGive(operator: KnownPerson, given: readonly PersonRole[]): void {
  if (may(operator, "admin") || given.every((each) => each === "rater" || each === "writer"))
    return;
  throw new StagecraftError("permission_denied", "only admins look after operators and admins", {
    details: { field: "roles", advice: "ask an admin" },
  });
}

function ownRights(): StagecraftError {
  return new StagecraftError("failed_precondition", "nobody takes his own rights away", {
    details: { advice: "ask another admin" },
  });
}
