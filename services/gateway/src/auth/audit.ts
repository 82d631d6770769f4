import type { Db, Tx } from "../store/database.js";

/** Who changed what; never a secret. */
export interface AuditNote {
  /** Name of the person or key; `system` for what nobody asked for. */
  who: string;
  /** Such as `person.invite`. */
  action: string;
  /** Such as a person's id. */
  subject: string;
  details?: Record<string, unknown>;
}

/** Written in the transaction of the change itself: neither is there without the other. */
export async function writeAudit(tx: Tx | Db, { details = {}, ...note }: AuditNote): Promise<void> {
  await tx
    .insertInto("audit")
    .values({ ...note, details: JSON.stringify(details) })
    .execute();
}
