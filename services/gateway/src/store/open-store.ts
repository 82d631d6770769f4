import { join } from "node:path";
import { silentLogger, type Logger } from "@stagecraft/telemetry";
import { openDatabase, type Database, type DatabaseOptions } from "./database.js";
import { importJournal } from "./import-journal.js";

/** Opens the gateway's database and takes over the journal that an older gateway left in its folder. */
export async function openStore(options: DatabaseOptions & { logger?: Logger }): Promise<Database> {
  const { logger = silentLogger(), dir } = options;
  const database = await openDatabase(options);
  if (dir === undefined) return database;
  try {
    const file = join(dir, "feedback.jsonl");
    const imported = await importJournal(database, file);
    if (imported) logger.info({ file, ...imported }, "feedback: took over the journal");
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
}
