import { open, rm } from "node:fs/promises";
import { jsonlFiles } from "../formats/files/jsonl.js";
import { elementsOf, stored, UNKNOWN, widened, type ColumnType } from "./column-types.js";
import { replaceFile, writeJsonl } from "./write-jsonl.js";

const GROUP_ROWS = 10_000;

type Columns = Map<string, ColumnType>;

/**
 * Writes records as a table, a column for each field that any record has; null where it is missing.
 * Atomically, in bounded memory: the columns are known when all records were seen, so these are kept in a
 * file of JSON lines beside it until then. Returns the number of records.
 * @throws `invalid_argument` for a field of several types
 */
export function writeParquet(
  file: string,
  records: Iterable<object> | AsyncIterable<object>,
): Promise<number> {
  return replaceFile(file, async (temporary) => {
    const columns: Columns = new Map();
    const spool = `${temporary}.jsonl`;
    const count = await writeJsonl(spool, watched(records, columns));
    try {
      await writeGroups(temporary, spool, columns);
    } finally {
      await rm(spool, { force: true });
    }
    const handle = await open(temporary, "r+");
    await handle.sync().finally(() => handle.close());
    return count;
  });
}

async function* watched(records: Iterable<object> | AsyncIterable<object>, columns: Columns) {
  for await (const record of records) {
    for (const [name, value] of Object.entries(record)) {
      columns.set(name, widened(columns.get(name) ?? UNKNOWN, value, name));
    }
    yield record;
  }
}

async function writeGroups(file: string, spool: string, columns: Columns): Promise<void> {
  const elements = [...columns].flatMap(([name, type]) => elementsOf(name, type));
  const { fileWriter, ParquetWriter } = await import("hyparquet-writer"); // only for who writes one
  const schema = [{ name: "root", num_children: columns.size }, ...elements];
  const writer = new ParquetWriter({ writer: fileWriter(file), schema });
  let group: Record<string, unknown>[] = [];
  const flush = async () => {
    const columnData = [...columns].map(([name, type]) => ({
      name,
      data: group.map((record) => stored(type, record[name])),
    }));
    if (group.length > 0) await writer.write({ columnData, rowGroupSize: group.length });
    group = [];
  };
  for await (const record of jsonlFiles.readRecords(spool)) {
    if ("value" in record) group.push(record.value as Record<string, unknown>);
    if (group.length === GROUP_ROWS) await flush();
  }
  await flush();
  await writer.finish();
}
