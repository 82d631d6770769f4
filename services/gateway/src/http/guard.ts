import { StagecraftError } from "@stagecraft/core";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { createRateLimit } from "../auth/rate-limit.js";
import { isSameSecret } from "../auth/secrets.js";
import { findSession } from "../auth/sessions.js";
import { isOurHost, type Site } from "./site.js";
import type { HttpContext } from "./context.js";

/** Name of the session's cookie; with TLS the browser itself sees to it that no other host set it. */
export const cookieName = (isSecure: boolean) =>
  isSecure ? "__Host-stagecraft" : "stagecraft-session";

/** These begin a session, so that there is no token yet; they take JSON from our own pages only. */
const WITHOUT_TOKEN = new Set(["/api/session", "/api/session/password"]);

/** Requests a minute of one person, and of one address where nobody is signed in. */
export interface RequestsPerMinute {
  perPerson: number;
  perAddress: number;
}

/** What every request of the API passes before its route: host, session, rate, CSRF. */
export function guard(
  app: FastifyInstance,
  { database, now }: HttpContext,
  options: { site: Site; isSecure: boolean; requestsPerMinute: RequestsPerMinute },
): void {
  const clock = () => now().getTime();
  const what = "requests";
  const { perPerson, perAddress } = options.requestsPerMinute;
  const ofPerson = createRateLimit({ perWindow: perPerson, now: clock, what });
  const ofAddress = createRateLimit({ perWindow: perAddress, now: clock, what });
  app.decorateRequest("signedIn", undefined);
  app.addHook("onRequest", async (request) => {
    if (!isOurHost(options.site, request.host)) {
      throw new StagecraftError("permission_denied", "this address has another name");
    }
    if (!request.url.startsWith("/api/")) return;
    const cookie = request.cookies[cookieName(options.isSecure)];
    request.signedIn = cookie ? await findSession(database.db, cookie, now()) : undefined;
    if (request.signedIn) ofPerson.take(request.signedIn.person.id);
    else ofAddress.take(request.ip);
    if (request.method !== "GET" && request.method !== "HEAD") checkOrigin(request);
  });
}

function checkOrigin(request: FastifyRequest): void {
  const { origin } = request.headers;
  const isForeign = origin !== undefined && hostOf(origin) !== request.host;
  const site = request.headers["sec-fetch-site"];
  if (isForeign || (site !== undefined && site !== "same-origin" && site !== "none")) {
    throw refused("this came from another site");
  }
  const path = request.url.replace(/\?.*/, "");
  if (request.method === "POST" && WITHOUT_TOKEN.has(path)) return;
  const { signedIn } = request;
  if (!signedIn) return; // there is nothing that a foreign page could use
  const token = request.headers["x-csrf-token"];
  if (typeof token === "string" && isSameSecret(token, signedIn.csrfToken)) return;
  throw refused("the CSRF token is missing or wrong");
}

const hostOf = (origin: string) => (URL.canParse(origin) ? new URL(origin).host : "");

function refused(reason: string): StagecraftError {
  return new StagecraftError("permission_denied", reason, {
    details: { advice: "load the page again" },
  });
}
