// A parquet file of about 1 GB in groups of about 100 MB, written and read by two processes:
//   read-parquet.mjs write FILE texts|messages
//   read-parquet.mjs read FILE texts|messages    reads every record as the stages do; prints one line of JSON:
//                                                records, bytes of the largest group and of the file, peak
//                                                resident bytes of the process
import { statSync } from "node:fs";
import { createRandom } from "@stagecraft/core";
import { readConversations, readTexts, writeRecords } from "@stagecraft/data";
import { asyncBufferFromFile, parquetMetadataAsync } from "hyparquet";
import { peakMemoryMb } from "../lib/peak-memory.mjs";

const NUM_RECORDS = 100_000;
const TEXT_BYTES = 10_000;

/** Texts that no encoding makes much shorter. */
function* records(kind) {
  const random = createRandom(1);
  const words = Array.from({ length: 4096 }, () => random.nextUint32().toString(36));
  for (let i = 0; i < NUM_RECORDS; i++) {
    let text = String(i);
    while (text.length < TEXT_BYTES) text += ` ${words[random.nextInt(words.length)]}`;
    yield kind === "texts" ? { text } : { messages: messagesOf(text) };
  }
}

/** Ten turns. */
function messagesOf(text) {
  const length = text.length / 10;
  return Array.from({ length: 10 }, (_, i) => ({
    role: i % 2 === 0 ? "user" : "assistant",
    content: text.slice(i * length, (i + 1) * length),
  }));
}

const [action, file, kind] = process.argv.slice(2);
if (action === "write") await writeRecords(file, records(kind), "parquet");
else await read();

async function read() {
  const parts = kind === "texts" ? readTexts([file]) : readConversations([file]);
  let numRecords = 0;
  for await (const part of parts) numRecords += part ? 1 : 0;
  const peakBytes = (peakMemoryMb(process.pid) ?? NaN) * 2 ** 20;
  const { row_groups: groups } = await parquetMetadataAsync(await asyncBufferFromFile(file));
  const groupBytes = Math.max(...groups.map(({ total_byte_size }) => Number(total_byte_size)));
  const facts = { numRecords, groupBytes, fileBytes: statSync(file).size, peakBytes };
  process.stdout.write(JSON.stringify(facts));
}
