import type { FastifyReply } from "fastify";
import type { KnownPerson } from "../auth/people.js";
import { beginSession, SESSION_MS, type SignedIn } from "../auth/sessions.js";
import { cookieName } from "./guard.js";
import type { HttpContext } from "./context.js";

/** Signs a person in: a new session, whose cookie the reply sets. */
export type BeginSession = (reply: FastifyReply, person: KnownPerson) => Promise<SignedIn>;

/** Of the cookie: scripts and other sites do not get it. */
export const sessionCookie = (isSecure: boolean) =>
  ({ path: "/", httpOnly: true, sameSite: "strict", secure: isSecure }) as const;

/** See BeginSession. */
export function createBeginSession(
  { database, now }: HttpContext,
  isSecure: boolean,
): BeginSession {
  return async (reply, person) => {
    const { cookie, signedIn } = await database.transact((tx) => beginSession(tx, person, now()));
    const options = { ...sessionCookie(isSecure), maxAge: SESSION_MS / 1000 };
    void reply.setCookie(cookieName(isSecure), cookie, options);
    return signedIn;
  };
}
