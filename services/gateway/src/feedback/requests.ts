import { createHash } from "node:crypto";
import type { Turn } from "../http/api/index.js";
import type { Tx } from "../store/database.js";

/** Requests that writers are given; the same turns come once. Returns how many were new. */
export async function addRequests(tx: Tx, requests: readonly Turn[][]): Promise<number> {
  const rows = new Map(
    requests.map((turns) => {
      const text = JSON.stringify(turns.map(({ role, content }) => ({ role, content })));
      const id = createHash("sha256").update(text).digest("hex").slice(0, 32);
      return [id, { id, turns: text }] as const;
    }),
  );
  if (rows.size === 0) return 0;
  const added = await tx
    .insertInto("requests")
    .values([...rows.values()])
    .onConflict((conflict) => conflict.column("id").doNothing())
    .returning("id")
    .execute();
  return added.length;
}
