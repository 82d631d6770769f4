// Trains BPE on a text file and encodes it again, alternating with Hugging Face `tokenizers`.
//
//   npx tsc -b libs/tokenizer
//   node libs/tokenizer/bench/train-and-encode.mjs FILE [VOCAB_SIZE] [PYTHON]
//
// PYTHON is an interpreter with `tokenizers` installed; without one only our own figures are shown.
// Prints one JSON line: seconds, MB/s of encoding, peak MB, and whether both learnt the same merges.
import { execFileSync } from "node:child_process";
import { mkdtempSync, openSync, readFileSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { saveTokenizer, trainBpe } from "../dist/index.js";

const [file, vocabSize = "32768", python] = process.argv.slice(2);
if (!file) throw new Error("usage: train-and-encode.mjs FILE [VOCAB_SIZE] [PYTHON]");

/** Whole lines, about 1 MiB at a time. */
function* chunks() {
  const handle = openSync(file);
  const buffer = Buffer.alloc(1 << 20);
  let carry = Buffer.alloc(0);
  for (let count; (count = readSync(handle, buffer)) > 0;) {
    const bytes = Buffer.concat([carry, buffer.subarray(0, count)]);
    const end = bytes.lastIndexOf(10) + 1 || bytes.length;
    yield bytes.toString("utf8", 0, end);
    carry = Buffer.from(bytes.subarray(end));
  }
  yield carry.toString("utf8");
}

async function measureOurs(dir) {
  let start = performance.now();
  const tokenizer = await trainBpe(chunks(), { vocabSize: Number(vocabSize) });
  const trainSeconds = (performance.now() - start) / 1000;
  await saveTokenizer(tokenizer, dir);
  start = performance.now();
  let numBytes = 0;
  let numTokens = 0;
  for (const chunk of chunks()) {
    numBytes += Buffer.byteLength(chunk);
    numTokens += tokenizer.encode(chunk).length;
  }
  const encodeMBPerSecond = numBytes / 1000 / (performance.now() - start);
  const peakMB = process.resourceUsage().maxRSS / 1024;
  return { trainSeconds, encodeMBPerSecond, peakMB, numTokens };
}

const dir = mkdtempSync(join(tmpdir(), "bpe-bench-"));
try {
  const ours = await measureOurs(dir);
  const result = { file, vocabSize: Number(vocabSize), ours };
  if (python) {
    const script = join(import.meta.dirname, "peer.py");
    const text = execFileSync(python, [script, file, vocabSize, dir], { encoding: "utf8" });
    const { merges, ...peer } = JSON.parse(text);
    const own = JSON.parse(readFileSync(join(dir, "tokenizer.json"), "utf8")).model.merges;
    result.peer = peer;
    result.trainRatio = peer.trainSeconds / ours.trainSeconds;
    result.encodeRatio = ours.encodeMBPerSecond / peer.encodeMBPerSecond;
    result.sameMerges = JSON.stringify(own) === JSON.stringify(merges);
  }
  process.stdout.write(`${JSON.stringify(result)}\n`);
} finally {
  rmSync(dir, { recursive: true });
}
