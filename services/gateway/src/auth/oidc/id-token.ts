import { createPublicKey, verify, type JsonWebKey, type KeyObject } from "node:crypto";
import { StagecraftError } from "@stagecraft/core";

/** What a provider says of somebody. */
export interface Claims {
  readonly [name: string]: unknown;
  /** Unique at the provider, and never somebody else's. */
  readonly sub: string;
}

/** A key of a provider. */
export type ProviderKey = JsonWebKey & { kid?: string; use?: string };

/** What an ID token must say. */
export interface Expected {
  issuer: string;
  clientId: string;
  nonce: string;
  now: Date;
}

const KEY_TYPES: Readonly<Record<string, string>> = { RS256: "RSA", ES256: "EC", EdDSA: "OKP" };
/** How far the provider's clock may be off, ms. */
const SKEW_MS = 60_000;

/**
 * The claims of an ID token (OpenID Connect Core 1.0, 3.1.3.7), signed by one of the keys with RS256, ES256 or
 * EdDSA. Throws `unauthenticated`, saying what does not fit.
 */
export function verifyIdToken(
  token: string,
  keys: readonly ProviderKey[],
  expected: Expected,
): Claims {
  return checkClaims(parsed(bodyOf(token, keys)), expected);
}

/** What is signed; throws for a token that none of the keys has signed. */
function bodyOf(token: string, keys: readonly ProviderKey[]): string {
  const [head = "", body = "", signature = "", ...more] = token.split(".");
  if (signature === "" || more.length > 0) throw wrong("is no signed JWT");
  const { alg, kid } = parsed(head) as { alg?: unknown; kid?: unknown };
  const key = keyFor(keys, alg, kid);
  if (!isSigned(`${head}.${body}`, Buffer.from(signature, "base64url"), { key, alg })) {
    throw wrong("is not signed by the provider's key");
  }
  return body;
}

/** Whether one of the keys has signed a token; which keys a provider has may change, with and without a name. */
export function isSignedByOne(token: string, keys: readonly ProviderKey[]): boolean {
  try {
    return bodyOf(token, keys) !== "";
  } catch {
    return false;
  }
}

function keyFor(keys: readonly ProviderKey[], alg: unknown, kid: unknown): KeyObject {
  const type = typeof alg === "string" ? KEY_TYPES[alg] : undefined;
  if (type === undefined) {
    throw wrong(
      `is signed by ${JSON.stringify(alg)}; expected ${Object.keys(KEY_TYPES).join(", ")}`,
    );
  }
  const fitting = keys.filter(({ kty, use }) => kty === type && (use ?? "sig") === "sig");
  const named = kid === undefined ? fitting : fitting.filter((key) => key.kid === kid);
  if (named.length !== 1) throw wrong(`names no key of the provider (kid ${JSON.stringify(kid)})`);
  return createPublicKey({ key: named[0]!, format: "jwk" });
}

function isSigned(
  text: string,
  signature: Buffer,
  { key, alg }: { key: KeyObject; alg: unknown },
): boolean {
  if (alg === "EdDSA") return verify(null, Buffer.from(text), key, signature);
  return verify("sha256", Buffer.from(text), { key, dsaEncoding: "ieee-p1363" }, signature);
}

function checkClaims(claims: Record<string, unknown>, expected: Expected): Claims {
  const { iss, aud, azp, exp, iat, nonce, sub } = claims;
  const now = expected.now.getTime();
  const audience = Array.isArray(aud) ? aud : [aud];
  if (iss !== expected.issuer) throw wrong(`is of the issuer ${JSON.stringify(iss)}`);
  if (!audience.includes(expected.clientId)) throw wrong("is for another client");
  if ((audience.length > 1 || azp !== undefined) && azp !== expected.clientId) {
    throw wrong("was given to another client");
  }
  if (typeof exp !== "number" || exp * 1000 <= now - SKEW_MS) throw wrong("has expired");
  if (typeof iat !== "number" || iat * 1000 > now + SKEW_MS) throw wrong("is of the future");
  if (nonce !== expected.nonce) throw wrong("answers another request (nonce)");
  if (typeof sub !== "string" || sub === "" || sub.length > 255) throw wrong("names nobody (sub)");
  return { ...claims, sub };
}

function parsed(part: string): Record<string, unknown> {
  try {
    const value = JSON.parse(Buffer.from(part, "base64url").toString("utf8")) as unknown;
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch {
    // said below
  }
  throw wrong("is no JWT");
}

function wrong(what: string): StagecraftError {
  return new StagecraftError("unauthenticated", `the provider's ID token ${what}`);
}
