import { createHash, timingSafeEqual } from "node:crypto";
import { ROLES, type MethodAccess, type Role } from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";

/** Who calls, as the server knows it. */
export interface Caller {
  /** Of the token or the certificate. */
  readonly name: string;
  readonly roles: ReadonlySet<Role>;
}

/** Name of a caller where nobody is asked who they are. */
export const ANONYMOUS = "anonymous";

/** Who may call, and as what. */
export interface AuthOptions {
  /**
   * Bearer tokens: `TOKEN` with every right, or `ROLE+ROLE:TOKEN` or `NAME=ROLE+ROLE:TOKEN` with some.
   * A function is asked at every call: tokens can change without a restart.
   */
  tokens?: readonly string[] | (() => readonly string[]);
  /** Roles of client certificates by their common name, `CN=ROLE+ROLE`; others may do nothing. */
  certRoles?: readonly string[];
}

/** Tells callers apart. */
export interface Callers {
  /** Throws `unauthenticated` for somebody unknown. */
  identify(shown: { authorization: string | undefined; commonName: string | undefined }): Caller;
}

interface KnownToken extends Caller {
  digest: Buffer;
}

const MIN_TOKEN_CHARS = 16;
const EVERYTHING: ReadonlySet<Role> = new Set(ROLES);

/**
 * Without tokens and roles of certificates everybody who can connect may do everything. Throws
 * `invalid_argument` for an empty list, a short token, or a role that does not exist.
 */
export function createCallers(auth: AuthOptions | undefined): Callers {
  const { tokens: given, certRoles = [] } = auth ?? {};
  const tokens = given === undefined ? undefined : cached(given);
  if (auth && !tokens?.().length && certRoles.length === 0) throw badToken("needs an entry");
  const certificates = new Map(certRoles.map(parseCertRole));
  return {
    identify({ authorization, commonName }) {
      const known = commonName === undefined ? undefined : certificates.get(commonName);
      if (tokens && !(known && authorization === undefined)) {
        return callerOf(tokens(), authorization);
      }
      if (known) return { name: commonName!, roles: known };
      if (certificates.size === 0) return { name: commonName ?? ANONYMOUS, roles: EVERYTHING };
      throw new StagecraftError(
        "unauthenticated",
        `no role is given to the certificate ${JSON.stringify(commonName ?? "")}`,
      );
    },
  };
}

/** Throws `permission_denied` when the caller has none of the roles that the method asks for. */
export function checkAccess(
  { name, roles }: Caller,
  method: string,
  { roles: asked }: MethodAccess,
) {
  if (roles.has("admin") || asked.some((role) => roles.has(role))) return;
  throw new StagecraftError(
    "permission_denied",
    `${method} asks for the role ${[...new Set([...asked, "admin"])].join(" or ")}; ` +
      `${name} has ${[...roles].join(", ")}`,
  );
}

function cached(given: readonly string[] | (() => readonly string[])): () => readonly KnownToken[] {
  let last: readonly string[] | undefined;
  let known: readonly KnownToken[] = [];
  return () => {
    const texts = typeof given === "function" ? given() : given;
    if (texts === last) return known;
    try {
      known = knownTokens(texts);
    } catch (thrown) {
      // Half written, or a slip: what was accepted so far stays so.
      if (last === undefined) throw thrown;
    }
    last = texts;
    return known;
  };
}

function knownTokens(texts: readonly string[]): readonly KnownToken[] {
  if (texts.length === 0) throw badToken("needs at least one token");
  return texts.map(parseToken);
}

function callerOf(known: readonly KnownToken[], authorization: string | undefined): Caller {
  const token = /^Bearer (.+)$/i.exec(authorization ?? "")?.[1];
  if (token === undefined) {
    throw new StagecraftError("unauthenticated", "a bearer token is required");
  }
  const given = digest(token);
  // Equal-length digests, all compared: the time says nothing about the tokens.
  const matches = known.filter((expected) => timingSafeEqual(expected.digest, given));
  if (matches[0]) return matches[0];
  throw new StagecraftError("unauthenticated", "the bearer token is not valid here");
}

/** `NAME=ROLE+ROLE:TOKEN`; what does not begin so is a token as it stands, with every right. */
function parseToken(text: string, index: number): KnownToken {
  const number = `token-${index + 1}`;
  const [, given, list, secret] = /^(?:([\w.-]+)=)?([a-z][a-z+-]*):(.+)$/.exec(text) ?? [];
  const roles = list?.split("+") ?? [];
  const isRoles = roles.length > 0 && roles.every((role) => EVERYTHING.has(role as Role));
  if (given !== undefined && !isRoles) throw unknownRole(roles);
  const token = isRoles ? secret! : text;
  if (token.trim().length < MIN_TOKEN_CHARS) {
    throw badToken(`needs tokens of ${MIN_TOKEN_CHARS} characters or more`);
  }
  return {
    name: given ?? number,
    roles: isRoles ? new Set(roles as Role[]) : EVERYTHING,
    digest: digest(token),
  };
}

function parseCertRole(text: string): [string, ReadonlySet<Role>] {
  const at = text.lastIndexOf("=");
  const roles = text.slice(at + 1).split("+");
  if (at <= 0 || !roles.every((role) => EVERYTHING.has(role as Role))) throw unknownRole(roles);
  return [text.slice(0, at), new Set(roles as Role[])];
}

function unknownRole(roles: readonly string[]): StagecraftError {
  const unknown = roles.filter((role) => !EVERYTHING.has(role as Role)).join(", ");
  return badToken(`names the role "${unknown}"; there are ${ROLES.join(", ")}`);
}

function badToken(what: string): StagecraftError {
  return new StagecraftError("invalid_argument", `auth.tokens or auth.certRoles ${what}`);
}

function digest(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
