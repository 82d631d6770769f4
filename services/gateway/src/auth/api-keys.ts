import { randomUUID } from "node:crypto";
import { StagecraftError } from "@stagecraft/core";
import type { ApiKey, CreateApiKey } from "../http/api/index.js";
import type { Db, Tx } from "../store/database.js";
import { hashOfSecret, newSecret } from "./secrets.js";

const PREFIX_LENGTH = 8;
const COLUMNS = [
  ...(["id", "name", "prefix", "scopes", "created_at", "last_used_at"] as const),
  ...(["requests_per_minute", "tokens_per_minute", "concurrent"] as const),
] as const;

const MARK = "sc-";
const SHAPE = new RegExp(`^${MARK}[A-Za-z0-9_-]{43}$`);

/** Whether a text can be a key at all: as long as all are, of the same signs. */
export const isKeyShaped = (secret: string): boolean => SHAPE.test(secret);

/** A new key; only its hash is stored. Names are unique. */
export async function createApiKey(
  tx: Tx,
  { name, scopes, requestsPerMinute, tokensPerMinute, concurrent }: CreateApiKey,
): Promise<{ keyId: string; secret: string }> {
  const secret = `${MARK}${newSecret()}`;
  const inserted = await tx
    .insertInto("api_keys")
    .values({
      ...{ id: `k-${randomUUID().slice(0, 8)}`, name, prefix: secret.slice(0, PREFIX_LENGTH) },
      ...{ key_hash: hashOfSecret(secret), scopes: JSON.stringify(scopes), concurrent },
      ...{ requests_per_minute: requestsPerMinute, tokens_per_minute: tokensPerMinute },
    })
    .onConflict((conflict) => conflict.column("name").doNothing())
    .returning("id")
    .executeTakeFirst();
  if (inserted) return { keyId: inserted.id, secret };
  throw new StagecraftError("already_exists", `there is a key named ${name} already`, {
    details: { field: "name", advice: "choose another name, or end that key" },
  });
}

/** Every key, the oldest first; never the keys themselves. */
export async function listApiKeys(db: Db | Tx): Promise<ApiKey[]> {
  const rows = await db.selectFrom("api_keys").select(COLUMNS).orderBy("created_at").execute();
  return rows.map(keyOf);
}

/** Ends a key at once; throws `not_found`. */
export async function endApiKey(tx: Tx, keyId: string): Promise<string> {
  const query = tx.deleteFrom("api_keys").where("id", "=", keyId).returning("name");
  const ended = await query.executeTakeFirst();
  if (ended) return ended.name;
  throw new StagecraftError("not_found", `there is no key with the id ${keyId}`);
}

/** What a key that somebody shows stands for; undefined for one that is wrong or has ended. */
export async function findApiKey(db: Db, secret: string): Promise<ApiKey | undefined> {
  const query = db.selectFrom("api_keys").select(COLUMNS);
  const row = await query.where("key_hash", "=", hashOfSecret(secret)).executeTakeFirst();
  return row && keyOf(row);
}

export async function hasApiKeys(db: Db): Promise<boolean> {
  return (await db.selectFrom("api_keys").select("id").limit(1).executeTakeFirst()) !== undefined;
}

export async function noteKeyUse(db: Db, keyId: string, now: Date): Promise<void> {
  await db.updateTable("api_keys").set({ last_used_at: now }).where("id", "=", keyId).execute();
}

interface Row {
  id: string;
  name: string;
  prefix: string;
  scopes: string[];
  created_at: Date;
  last_used_at: Date | null;
  requests_per_minute: number | null;
  tokens_per_minute: number | null;
  concurrent: number | null;
}

function keyOf({ id: keyId, name, prefix, scopes, concurrent, ...row }: Row): ApiKey {
  return {
    ...{ keyId, name, prefix, concurrent, scopes: scopes as ApiKey["scopes"] },
    requestsPerMinute: row.requests_per_minute,
    tokensPerMinute: row.tokens_per_minute,
    createdAt: row.created_at.toISOString(),
    lastUsedAt: row.last_used_at?.toISOString() ?? null,
  };
}
