import { createHash, timingSafeEqual } from "node:crypto";
import { StagecraftError } from "@stagecraft/core";
import type { ApiScope } from "../http/api/index.js";
import type { KeyLimits } from "./limits.js";

/** Who calls, and how much they may. */
export interface ApiCaller {
  /** Of the key; never the key. Limits count by it. */
  name: string;
  limits?: KeyLimits;
  /** What the key is for; absent = everything. */
  scopes?: ReadonlySet<ApiScope>;
}

/** Throws `permission_denied` for a key that is for something else. */
export function checkScope({ scopes }: ApiCaller, scope: ApiScope): void {
  if (scopes === undefined || scopes.has(scope)) return;
  const reason = `this key is not for that: it lacks the scope ${scope}; ask an admin for a key that has it`;
  throw new StagecraftError("permission_denied", reason);
}

/** Told to who sends none. */
export const NO_KEY = "no API key was given; send it as `Authorization: Bearer KEY`";

/** Tells callers apart by their key; throws `unauthenticated`. */
export type Authenticate = (key: string | undefined) => ApiCaller | Promise<ApiCaller>;

/** The key in an `Authorization: Bearer …` header. */
export function bearerOf(authorization: string | undefined): string | undefined {
  return /^Bearer +(\S.*)$/i.exec(authorization ?? "")?.[1]?.trim();
}

/** Keys that stay the same; without any, everybody may call. */
export function fixedKeys(keys: readonly string[], limits?: KeyLimits): Authenticate {
  const known = keys.map((key, i) => ({ name: `key-${i + 1}`, digest: digest(key) }));
  return (key) => {
    if (known.length === 0) return { name: "anyone", ...(limits ? { limits } : {}) };
    if (key === undefined) {
      throw noKey(NO_KEY);
    }
    const given = digest(key);
    // Equal-length digests, all compared: the time says nothing about the keys.
    const matches = known.filter((each) => timingSafeEqual(each.digest, given));
    if (!matches[0]) throw noKey("the API key is not valid here");
    return { name: matches[0].name, ...(limits ? { limits } : {}) };
  };
}

/** The error for a caller without a key that is known here. */
export function noKey(reason: string): StagecraftError {
  return new StagecraftError("unauthenticated", reason);
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
