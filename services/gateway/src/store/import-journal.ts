import { readFile } from "node:fs/promises";
import { feedback } from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import { insertComparisons } from "./comparisons.js";
import type { Database, Tx } from "./database.js";
import { insertFeedback } from "./feedback-rows.js";

const NEWLINE = 0x0a;

/** What an import took over; undefined = there was nothing to take, or it was taken before. */
export interface Imported {
  comparisons: number;
  feedback: number;
  /** Bytes of half a last record, which was never acknowledged. */
  leftOut: number;
}

/**
 * Takes over `feedback.jsonl`, in which gateways kept everything before there was a database: once, all or
 * nothing. The file stays as it is. Throws `data_loss` with file and line for anything that is no record;
 * half a last line, which was being written when that gateway died, is left out.
 */
export async function importJournal(
  { transact }: Database,
  file: string,
): Promise<Imported | undefined> {
  const bytes = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw StagecraftError.from(error);
  });
  if (bytes === undefined) return undefined;
  return transact(async (tx) => {
    const first = await tx
      .insertInto("imports")
      .values({ source: "feedback.jsonl" })
      .onConflict((conflict) => conflict.doNothing())
      .returning("source")
      .executeTakeFirst();
    return first && importRecords(tx, bytes, file);
  });
}

async function importRecords(tx: Tx, bytes: Buffer, file: string): Promise<Imported> {
  const imported = { comparisons: 0, feedback: 0, leftOut: 0 };
  for (let start = 0, number = 1; start < bytes.length; number++) {
    const lineEnd = bytes.indexOf(NEWLINE, start);
    const end = lineEnd === -1 ? bytes.length : lineEnd;
    const record = end > start ? parse(bytes.subarray(start, end)) : undefined;
    if (record instanceof Error) {
      if (lineEnd !== -1) throw damaged(`${file}:${number}`, record);
      imported.leftOut = end - start;
    } else if (record?.feedback) {
      await insertFeedback(tx, record.feedback);
      imported.feedback++;
    } else if (record?.comparison) {
      imported.comparisons += await insertComparisons(tx, [record.comparison]);
    }
    start = end + 1;
  }
  return imported;
}

interface JournalRecord {
  feedback?: feedback.Feedback;
  comparison?: feedback.Comparison;
}

/** Also refuses bytes that are no UTF-8, which would otherwise become other text unnoticed. */
function parse(line: Uint8Array): JournalRecord | Error {
  try {
    const record = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(line)) as object;
    if ("feedback" in record) return { feedback: feedback.Feedback.fromJSON(record.feedback) };
    if (!("comparison" in record)) throw new Error("neither feedback nor comparison");
    return { comparison: feedback.Comparison.fromJSON(record.comparison) };
  } catch (error) {
    return error as Error;
  }
}

function damaged(where: string, cause: Error): StagecraftError {
  const reason = `${where} is damaged (${cause.message}); restore the file, or take the line out`;
  return new StagecraftError("data_loss", reason, { cause });
}
