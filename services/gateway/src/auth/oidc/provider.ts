import { createHash } from "node:crypto";
import { StagecraftError } from "@stagecraft/core";
import { isLoopbackHost } from "@stagecraft/rpc";
import { z } from "zod";
import { newSecret } from "../secrets.js";
import { isSignedByOne, verifyIdToken, type Claims, type ProviderKey } from "./id-token.js";

export interface ProviderOptions {
  /** As the provider writes it: `https://login.example.org/realm`. */
  issuer: string;
  clientId: string;
  /** Empty: a public client, which PKCE alone protects. */
  clientSecret: string;
  now(): Date;
}

/** One attempt to sign in; whoever began it keeps it in a cookie until he is back. */
export interface Attempt {
  state: string;
  nonce: string;
  verifier: string;
}

/** An OpenID Connect provider: authorization code with PKCE (RFC 7636). */
export interface OidcProvider {
  /** Where to send somebody. */
  begin(redirectUri: string): Promise<{ url: string; attempt: Attempt }>;
  /** Who has come back with these parameters. Throws `unauthenticated`, or `unavailable`. */
  finish(
    query: Readonly<Record<string, string | undefined>>,
    attempt: Attempt,
    redirectUri: string,
  ): Promise<Claims>;
}

const discovered = z.object({
  issuer: z.string(),
  authorization_endpoint: z.string(),
  token_endpoint: z.string(),
  jwks_uri: z.string(),
  token_endpoint_auth_methods_supported: z.array(z.string()).default(["client_secret_basic"]),
});
type Discovered = z.infer<typeof discovered>;
const keySet = z.object({ keys: z.array(z.looseObject({})) });
const tokens = z.object({ id_token: z.string() });

const TIMEOUT_MS = 10_000;
const MAX_BYTES = 1024 * 1024;

/** Nothing is asked before somebody signs in. Throws `invalid_argument` for an issuer that is not https. */
export function createOidcProvider({
  issuer,
  clientId,
  clientSecret,
  now,
}: ProviderOptions): OidcProvider {
  checkUrl(issuer, "oidcIssuer");
  if (clientId === "")
    throw new StagecraftError("invalid_argument", "oidcIssuer needs oidcClientId");
  let known: Promise<Discovered> | undefined;
  let keys: Promise<ProviderKey[]> | undefined;
  const discover = () => (known ??= ask(wellKnown(issuer), discovered).then(checked).catch(forget));
  const forget = (error: unknown): never => {
    known = undefined;
    throw error;
  };
  const checked = (found: Discovered): Discovered => {
    if (found.issuer !== issuer) {
      const reason = `oidcIssuer is ${issuer}, and the provider there calls itself ${found.issuer}`;
      throw new StagecraftError("failed_precondition", reason);
    }
    checkUrl(found.authorization_endpoint, "authorization_endpoint");
    return found;
  };
  const keysFor = async (token: string): Promise<ProviderKey[]> => {
    const { jwks_uri: url } = await discover();
    const read = () => ask(url, keySet).then((set) => set.keys as ProviderKey[]);
    const held = await keys?.catch(() => undefined);
    if (held && isSignedByOne(token, held)) return held;
    return (keys = read()); // the provider has new ones
  };
  return {
    async begin(redirectUri) {
      const { authorization_endpoint: url } = await discover();
      const attempt = { state: newSecret(), nonce: newSecret(), verifier: newSecret() };
      const parameters = {
        ...{ response_type: "code", client_id: clientId, redirect_uri: redirectUri },
        ...{ scope: "openid profile email", state: attempt.state, nonce: attempt.nonce },
        code_challenge: createHash("sha256").update(attempt.verifier).digest("base64url"),
        code_challenge_method: "S256",
      };
      const target = new URL(url);
      for (const [name, value] of Object.entries(parameters)) target.searchParams.set(name, value);
      return { url: target.href, attempt };
    },
    async finish({ code, state, error, iss }, attempt, redirectUri) {
      if (state !== attempt.state) throw refused("answers another request (state)");
      if (iss !== undefined && iss !== issuer) throw refused(`comes from ${iss}`); // RFC 9207
      if (code === undefined) throw refused(`gives no code, but the error ${error ?? "none"}`);
      const { token_endpoint: url, token_endpoint_auth_methods_supported: ways } = await discover();
      const { verifier: code_verifier, nonce } = attempt;
      const form = new URLSearchParams({
        ...{ grant_type: "authorization_code", code, redirect_uri: redirectUri, code_verifier },
        client_id: clientId,
      });
      const headers = authenticate(form, { clientId, clientSecret, ways });
      const { id_token } = await ask(url, tokens, { method: "POST", headers, body: form });
      const expected = { issuer, clientId, nonce, now: now() };
      return verifyIdToken(id_token, await keysFor(id_token), expected);
    },
  };
}

/** How the client shows its secret: in a header if the provider takes it there, else in the form. */
function authenticate(
  form: URLSearchParams,
  how: { clientId: string; clientSecret: string; ways: readonly string[] },
): Record<string, string> {
  const { clientId, clientSecret, ways } = how;
  if (clientSecret === "") return {};
  if (!ways.includes("client_secret_basic") && ways.includes("client_secret_post")) {
    form.set("client_secret", clientSecret);
    return {};
  }
  const pair = [clientId, clientSecret].map(formEncoded).join(":");
  return { authorization: `Basic ${Buffer.from(pair).toString("base64")}` };
}

const formEncoded = (text: string) => new URLSearchParams([["", text]]).toString().slice(1);

const wellKnown = (issuer: string) =>
  `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;

async function ask<T>(url: string, schema: z.ZodType<T>, init: RequestInit = {}): Promise<T> {
  checkUrl(url, "a URL of the provider");
  const where = new URL(url).origin;
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const response = await fetch(url, { ...init, redirect: "error", signal });
    const text = await response.text();
    if (text.length > MAX_BYTES) throw new Error("the answer is too long");
    if (!response.ok) throw new Error(`it answered ${response.status}: ${text.slice(0, 300)}`);
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const reason = `the provider at ${where} gave no usable answer: ${why}`;
    throw new StagecraftError("unavailable", reason, { cause });
  }
}

/** Secrets and answers about people go over TLS, or stay on this machine. */
function checkUrl(text: string, what: string): void {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === "https:") return;
  if (url?.protocol === "http:" && isLoopbackHost(url.hostname)) return;
  throw new StagecraftError("invalid_argument", `${what} ${text} must be an https URL`);
}

function refused(what: string): StagecraftError {
  return new StagecraftError("unauthenticated", `the provider's answer ${what}`);
}
