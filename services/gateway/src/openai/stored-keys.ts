import { present } from "@stagecraft/core";
import { findApiKey, hasApiKeys, noteKeyUse } from "../auth/api-keys.js";
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

/** Keys that admins make and end; each is asked for at every request, so that an ended one ends at once. */
export function storedKeys({ database, openWithoutKeys, now }: StoredKeysOptions): Authenticate {
  const { db } = database;
  const noted = new Map<string, number>();
  const note = async ({ keyId }: ApiKey) => {
    const at = now();
    if (at.getTime() - (noted.get(keyId) ?? -Infinity) < NOTE_EVERY_MS) return;
    noted.set(keyId, at.getTime());
    await noteKeyUse(db, keyId, at);
  };
  return async (secret) => {
    const key = secret === undefined ? undefined : await findApiKey(db, secret);
    if (key) {
      await note(key);
      return callerOf(key);
    }
    // Clients always send something: where everybody may call, any word will do.
    if (openWithoutKeys && !(await hasApiKeys(db))) return { name: "anyone" };
    throw secret === undefined ? noKey(NO_KEY) : noKey("the API key is not valid here");
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
