import { createHash, timingSafeEqual } from "node:crypto";
import { StagecraftError } from "@stagecraft/core";
import type { KeyLimits } from "./limits.js";

/** Who calls, and how much they may. */
export interface ApiCaller {
  /** Of the key; never the key. Limits count by it. */
  name: string;
  limits?: KeyLimits;
}

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
      throw noKey("no API key was given; send it as `Authorization: Bearer KEY`");
    }
    const given = digest(key);
    // Equal-length digests, all compared: the time says nothing about the keys.
    const matches = known.filter((each) => timingSafeEqual(each.digest, given));
    if (!matches[0]) throw noKey("the API key is not valid here");
    return { name: matches[0].name, ...(limits ? { limits } : {}) };
  };
}

function noKey(reason: string): StagecraftError {
  return new StagecraftError("unauthenticated", reason);
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
