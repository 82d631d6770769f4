import { StagecraftError } from "@stagecraft/core";
import type { Logger } from "@stagecraft/telemetry";
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

/** Of an act that no transaction holds. */
export interface ActNote<T> extends AuditNote {
  /** What is known only once it is done, such as a version; in the details of `done`. */
  outcome?: (result: T) => Record<string, unknown>;
}

/**
 * Does what no transaction holds, such as starting a run: `asked` is written before anything happens, `done`
 * or `failed` with its code after. Throws without doing anything when the audit cannot be written; when
 * only the outcome cannot, `asked` stands, and the log says so. `act` is the change and nothing that follows it:
 * what fails afterwards would be told as a change that failed.
 */
export async function audited<T>(
  { db, logger }: { db: Db; logger: Logger },
  { details = {}, outcome = () => ({}), ...note }: ActNote<T>,
  act: () => Promise<T>,
): Promise<T> {
  const write = (event: string, more: object = {}) =>
    writeAudit(db, { ...note, details: { ...details, event, ...more } });
  const tell = (event: string, more?: object) =>
    write(event, more).catch((err: unknown) =>
      logger.error({ err, ...note, event }, "the end of an audited act is not written"),
    );
  await write("asked");
  try {
    const result = await act();
    await tell("done", outcome(result));
    return result;
  } catch (thrown) {
    await tell("failed", { code: StagecraftError.from(thrown).code });
    throw thrown;
  }
}
