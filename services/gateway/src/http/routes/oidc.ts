import { StagecraftError } from "@stagecraft/core";
import type { FastifyInstance } from "fastify";
import { writeAudit } from "../../auth/audit.js";
import { personOfClaims, type RoleRules } from "../../auth/oidc/person-of-claims.js";
import type { Attempt, OidcProvider } from "../../auth/oidc/provider.js";
import type { SignInWays } from "../api/index.js";
import type { HttpContext } from "../context.js";
import type { BeginSession } from "../begin-session.js";

/** Signing in at a provider. */
export interface OidcSignIn {
  provider: OidcProvider;
  issuer: string;
  /** What people call it. */
  name: string;
  rules: RoleRules;
}

const ATTEMPT_SECONDS = 600;

/** Which ways there are to sign in, and the way over the provider there and back. */
export function oidcRoutes(
  app: FastifyInstance,
  { database, logger, origin, ...context }: HttpContext & { isSecure: boolean; oidc?: OidcSignIn },
  begin: BeginSession,
): void {
  const { oidc, isSecure } = context;
  app.get("/api/sign-in", (): SignInWays => ({ provider: oidc ? oidc.name : null }));
  if (!oidc) return;
  const { provider, issuer, rules } = oidc;
  const cookie = isSecure ? "__Host-stagecraft-oidc" : "stagecraft-oidc";
  // Lax: the way back begins at the provider's.
  const options = { path: "/", httpOnly: true, sameSite: "lax", secure: isSecure } as const;
  const redirectUri = () => `${origin()}/api/session/oidc/callback`;

  app.get("/api/session/oidc", async (_, reply) => {
    const { url, attempt } = await provider.begin(redirectUri());
    const value = [attempt.state, attempt.nonce, attempt.verifier].join(".");
    void reply.setCookie(cookie, value, { ...options, maxAge: ATTEMPT_SECONDS });
    return reply.redirect(url);
  });
  app.get("/api/session/oidc/callback", async (request, reply) => {
    void reply.clearCookie(cookie, options);
    try {
      const attempt = attemptOf(request.cookies[cookie]);
      const query = request.query as Record<string, string | undefined>;
      const claims = await provider.finish(query, attempt, redirectUri());
      const person = await database.transact(async (tx) => {
        const found = await personOfClaims(tx, { issuer, claims, rules });
        const note = { who: found?.name ?? "system", subject: found?.id ?? claims.sub };
        const action = found ? "person.sign-in" : "person.refuse";
        await writeAudit(tx, { ...note, action, details: { by: oidc.name } });
        return found;
      });
      if (!person) return await reply.redirect("/sign-in?problem=stranger");
      await begin(reply, person);
      return await reply.redirect("/");
    } catch (thrown) {
      logger.warn({ err: thrown }, "somebody could not sign in at the provider");
      return reply.redirect("/sign-in?problem=provider");
    }
  });
}

function attemptOf(value: string | undefined): Attempt {
  const [state, nonce, verifier] = value?.split(".") ?? [];
  if (state && nonce && verifier) return { state, nonce, verifier };
  throw new StagecraftError("unauthenticated", "nobody has begun to sign in in this browser");
}
