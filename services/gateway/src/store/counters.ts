import type { Tx } from "./database.js";

/**
 * How many rows an ordered table has. The lock holds until the end of the transaction: positions have no
 * gap, and nobody who reads sees a position before a smaller one.
 */
export async function lockCounter(tx: Tx, name: "comparisons" | "feedback"): Promise<number> {
  const query = tx.selectFrom("counters").select("value").where("name", "=", name).forUpdate();
  return (await query.executeTakeFirstOrThrow()).value;
}

export async function setCounter(
  tx: Tx,
  name: "comparisons" | "feedback",
  value: number,
): Promise<void> {
  await tx.updateTable("counters").set({ value }).where("name", "=", name).execute();
}
