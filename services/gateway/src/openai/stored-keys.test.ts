import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { openTestDatabase } from "../../test/databases.js";
import { createApiKey, endApiKey } from "../auth/api-keys.js";
import { newSecret } from "../auth/secrets.js";
import type { Database } from "../store/database.js";
import { storedKeys } from "./stored-keys.js";

describe("storedKeys()", () => {
  let database: Database;
  beforeAll(async () => void (database = await openTestDatabase()));
  afterAll(() => database.close());
  const KEY = { name: "a", scopes: ["generate" as const], concurrent: null };
  const LIMITS = { requestsPerMinute: null, tokensPerMinute: null };
  const makeKey = () =>
    database.db.transaction().execute((tx) => createApiKey(tx, { ...KEY, ...LIMITS }));

  it("asks the database once for a wrong key in a while, and never for what can be none", async () => {
    const { keyId, secret } = await makeKey();
    let now = new Date(0);
    const authenticate = storedKeys({ database, openWithoutKeys: false, now: () => now });
    const queries = vi.spyOn(database.db, "selectFrom");
    const numQueries = async (key: string) => {
      queries.mockClear();
      await expect(authenticate(key)).rejects.toThrow("[unauthenticated]");
      return queries.mock.calls.length;
    };
    const wrong = `sc-${newSecret()}`;
    expect(await numQueries(wrong)).toBe(1);
    expect(await numQueries(wrong)).toBe(0);
    expect(await numQueries("hunter2")).toBe(0);
    now = new Date(10_000);
    expect(await numQueries(wrong)).toBe(1);
    for (let i = 0; i < 1000; i++) await numQueries(`sc-${newSecret()}`);
    expect(await numQueries(wrong)).toBe(1); // the oldest made room
    expect(await authenticate(secret)).toMatchObject({ name: keyId });
    await database.db.transaction().execute((tx) => endApiKey(tx, keyId));
    await expect(authenticate(secret)).rejects.toThrow("not valid here"); // ended at once
    queries.mockRestore();
  });

  it("takes any word where nobody has made a key", async () => {
    const authenticate = storedKeys({ database, openWithoutKeys: true, now: () => new Date(0) });
    expect(await authenticate("any")).toEqual({ name: "anyone" });
    const { keyId } = await makeKey();
    await expect(authenticate("any")).rejects.toThrow("not valid here");
    await database.db.transaction().execute((tx) => endApiKey(tx, keyId));
  });
});
