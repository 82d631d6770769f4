import { StagecraftError } from "@stagecraft/core";
import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { writeAudit } from "../../auth/audit.js";
import { personById, takeSignInToken, type KnownPerson } from "../../auth/people.js";
import { createRateLimit } from "../../auth/rate-limit.js";
import { hashOfPassword, isPassword } from "../../auth/secrets.js";
import { endSession, endSessionsOf, type SignedIn } from "../../auth/sessions.js";
import type { Session, SignedOut } from "../api/index.js";
import { sessionCookie, type BeginSession } from "../begin-session.js";
import { anybody, may, type HttpContext } from "../context.js";
import { personName, text } from "../fields.js";
import { cookieName } from "../guard.js";
import type { FastifyInstance } from "fastify";

/** Failed attempts to sign in, of an address and of a name, in ten minutes. */
const MAX_FAILURES = 10;
const WINDOW_MS = 10 * 60_000;

const byLink = z.strictObject({ token: text(200).min(1) });
const byPassword = z.strictObject({ name: personName, password: text(256).min(1) });
const newPassword = z.strictObject({ password: text(256).min(12) });

/** Who is signed in, and how one does it. */
export function sessionRoutes(
  app: FastifyInstance,
  context: HttpContext & { isSecure: boolean },
  begin: BeginSession,
): void {
  const { database, now, isSecure } = context;
  const failures = createRateLimit({
    perWindow: MAX_FAILURES,
    windowMs: WINDOW_MS,
    now: () => now().getTime(),
    what: "attempts to sign in",
  });
  const enter = async (reply: FastifyReply, person: KnownPerson) =>
    sessionOf(await begin(reply, person));

  app.get("/api/session", async (request): Promise<Session> => sessionOf(signedInOf(request)));

  app.post("/api/session", async (request, reply) => {
    const { token } = byLink.parse(request.body);
    throwIfSpent(failures, request.ip);
    const person = await database.transact((tx) => takeSignInToken(tx, token, now()));
    if (person) return enter(reply, person);
    failures.take(request.ip);
    throw unknown("this link has been used, has expired, or is cut off", "ask for a new link");
  });

  app.post("/api/session/password", async (request, reply) => {
    const { name, password } = byPassword.parse(request.body);
    const keys = [request.ip, `name ${name}`];
    throwIfSpent(failures, ...keys);
    const row = await database.db
      .selectFrom("people")
      .select(["id", "password_hash", "active"])
      .where("name", "=", name)
      .executeTakeFirst();
    const isRight = await isPassword(password, row?.password_hash ?? null);
    if (row && isRight && row.active) {
      return enter(reply, (await personById(database.db, row.id))!);
    }
    for (const key of keys) failures.take(key);
    throw unknown("name or password is wrong", "try again, or ask for a link");
  });

  app.put("/api/session/password", async (request) => {
    const { password } = newPassword.parse(request.body);
    const { person, sessionHash, csrfToken } = signedInOf(request);
    const password_hash = await hashOfPassword(password);
    await database.transact(async (tx) => {
      await tx.updateTable("people").set({ password_hash }).where("id", "=", person.id).execute();
      await endSessionsOf(tx, person.id, sessionHash);
      await writeAudit(tx, { who: person.name, action: "person.password", subject: person.id });
    });
    return sessionOf({ person: { ...person, hasPassword: true }, sessionHash, csrfToken });
  });

  app.delete("/api/session", async (request, reply): Promise<SignedOut> => {
    if (request.signedIn) await endSession(database.db, request.signedIn.sessionHash);
    void reply.clearCookie(cookieName(isSecure), sessionCookie(isSecure));
    return { ok: true };
  });
}

function signedInOf(request: FastifyRequest): SignedIn {
  anybody(request);
  return request.signedIn!;
}

function sessionOf({ person, csrfToken }: SignedIn): Session {
  const { id: personId, name, roles, hasPassword } = person;
  const operates = may(person, "operator");
  return {
    me: { personId, name, roles, hasPassword },
    csrfToken,
    pages: {
      rank: may(person, "rater"),
      write: may(person, "writer"),
      breakIt: true,
      chat: true,
      people: operates,
      models: operates,
      operator: operates,
      runs: operates,
    },
  };
}

function throwIfSpent(failures: ReturnType<typeof createRateLimit>, ...keys: string[]): void {
  for (const key of keys) if (failures.isSpent(key)) failures.take(key);
}

function unknown(reason: string, advice: string): StagecraftError {
  return new StagecraftError("unauthenticated", reason, { details: { advice } });
}
