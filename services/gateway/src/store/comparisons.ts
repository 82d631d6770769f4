import { feedback } from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import type { Tx } from "./database.js";
import { lockCounter, setCounter } from "./counters.js";

/** Stores those whose ids are new, all or none; returns how many were. */
export async function insertComparisons(
  tx: Tx,
  comparisons: readonly feedback.Comparison[],
): Promise<number> {
  if (comparisons.length === 0) return 0;
  let position = await lockCounter(tx, "comparisons");
  const known = await knownComparisons(tx, comparisons);
  const rows = [];
  for (const comparison of comparisons) {
    const { comparisonId: id, batch } = comparison;
    const before = known.get(id);
    if (before !== undefined) {
      sameOrThrow(before, comparison);
      continue;
    }
    known.set(id, comparison);
    const body = JSON.stringify(feedback.Comparison.toJSON(comparison));
    const bytes = feedback.Comparison.encode(comparison).finish().length;
    rows.push({ position: ++position, id, body, bytes, batch });
  }
  if (rows.length > 0) await tx.insertInto("comparisons").values(rows).execute();
  await setCounter(tx, "comparisons", position);
  return rows.length;
}

async function knownComparisons(tx: Tx, comparisons: readonly feedback.Comparison[]) {
  const ids = comparisons.map(({ comparisonId }) => comparisonId);
  const query = tx.selectFrom("comparisons").select(["id", "body"]).where("id", "in", ids);
  const rows = await query.execute();
  return new Map(rows.map(({ id, body }) => [id, feedback.Comparison.fromJSON(body)]));
}

/** The batch may differ: the same answers may be put up by a round that begins anew. */
function sameOrThrow(known: feedback.Comparison, given: feedback.Comparison): void {
  const essence = (c: feedback.Comparison) =>
    JSON.stringify(feedback.Comparison.toJSON({ ...c, batch: "" }));
  if (essence(known) === essence(given)) return;
  throw new StagecraftError(
    "already_exists",
    `comparison_id ${given.comparisonId} is taken by another prompt or other answers; choose another id`,
  );
}
