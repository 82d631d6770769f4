import { present } from "@stagecraft/core";
import { findApiKey, hasApiKeys, isKeyShaped, noteKeyUse } from "../auth/api-keys.js";
import { hashOfSecret } from "../auth/secrets.js";
import type { ApiKey } from "../http/api/index.js";
import type { Database } from "../store/database.js";
import { NO_KEY, noKey, type ApiCaller, type Authenticate } from "./keys.js";

export interface StoredKeysOptions {
  database: Database;
  /** Whether programs may call without a key as long as there is none. */
  openWithoutKeys: boolean;
  now(): Date;
}

/** How often a key's last use is written down, ms. */
const NOTE_EVERY_MS = 60_000;

/** How long a wrong key stays wrong unasked, ms; a new key is random, so nobody has tried it before. */
const WRONG_FOR_MS = 10_000;
const MAX_WRONG = 1000;

/**
 * Keys that admins make and end; each is asked for at every request, so that an ended one ends at once. What
 * cannot be a key, or was wrong a moment ago, costs the database nothing.
 */
export function storedKeys({ database, openWithoutKeys, now }: StoredKeysOptions): Authenticate {
  const { db } = database;
  const noted = new Map<string, number>();
  const note = async ({ keyId }: ApiKey) => {
    const at = now();
    if (at.getTime() - (noted.get(keyId) ?? -Infinity) < NOTE_EVERY_MS) return;
    noted.set(keyId, at.getTime());
    await noteKeyUse(db, keyId, at);
  };
  const wrong = createWrongKeys(now);
  return async (secret) => {
    const mayBe = secret !== undefined && isKeyShaped(secret) && !wrong.has(secret);
    const key = mayBe ? await findApiKey(db, secret) : undefined;
    if (key) {
      await note(key);
      return callerOf(key);
    }
    const given = secret ?? "";
    // Clients always send something: where everybody may call, any word will do.
    if (openWithoutKeys && !wrong.has(given) && !(await hasApiKeys(db))) return { name: "anyone" };
    wrong.add(given);
    throw secret === undefined ? noKey(NO_KEY) : noKey("the API key is not valid here");
  };
}

/** Keys that were wrong a moment ago, by their hashes; the oldest make room. */
function createWrongKeys(now: () => Date) {
  const until = new Map<string, number>();
  return {
    has(secret: string): boolean {
      return now().getTime() < (until.get(hashOfSecret(secret)) ?? -Infinity);
    },
    add(secret: string): void {
      const hash = hashOfSecret(secret);
      if (now().getTime() < (until.get(hash) ?? -Infinity)) return;
      until.delete(hash);
      until.set(hash, now().getTime() + WRONG_FOR_MS);
      const [oldest] = until.keys();
      if (until.size > MAX_WRONG) until.delete(oldest!);
    },
  };
}

function callerOf({ keyId, scopes, ...limits }: ApiKey): ApiCaller {
  return {
    name: keyId,
    scopes: new Set(scopes),
    limits: present({
      requestsPerMinute: limits.requestsPerMinute ?? undefined,
      tokensPerMinute: limits.tokensPerMinute ?? undefined,
      concurrent: limits.concurrent ?? undefined,
    }),
  };
}
