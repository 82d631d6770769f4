import { isUtf8 } from "node:buffer";
import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { PassThrough, type Readable, type Transform } from "node:stream";
import { StagecraftError, throwIfAborted } from "@stagecraft/core";
import { utf8CharLength } from "@stagecraft/tokenizer";
import { compressionOf } from "./compression.js";

const CHUNK_BYTES = 1 << 20;
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);
const UTF16_MARKS = [Buffer.from([0xff, 0xfe]), Buffer.from([0xfe, 0xff])];

/**
 * The text of a file (unpacked when its name ends in .gz or .zst) in chunks of about 1 MiB that never cut a
 * character; a byte order mark is dropped. Holds one chunk in memory.
 * @throws `not_found`; `invalid_argument` for binary data, UTF-16 and invalid UTF-8 with the place
 * of the first bad byte; `data_loss` for a damaged .gz or .zst
 */
export async function* readTextChunks(file: string, signal?: AbortSignal): AsyncGenerator<string> {
  const checker = new Utf8Checker(file);
  for await (const chunk of readByteChunks(file)) {
    throwIfAborted(signal);
    const text = checker.push(chunk);
    if (text !== "") yield text;
  }
  checker.finish();
}

/** The raw bytes of a file, unpacked when its name ends in .gz or .zst. */
export async function* readByteChunks(file: string): AsyncGenerator<Buffer> {
  const source = createReadStream(file, { highWaterMark: CHUNK_BYTES });
  let numBytes = 0;
  try {
    const compression = compressionOf(file);
    const chunks = compression ? piped(source, compression.unpackers(CHUNK_BYTES)) : source;
    for await (const chunk of chunks as AsyncIterable<Buffer>) {
      yield chunk;
      numBytes += chunk.length;
    }
  } catch (thrown) {
    throw readFailure(file, thrown, numBytes);
  } finally {
    source.destroy();
  }
}

function piped(source: Readable, unpackers: readonly Transform[]): Readable {
  const output = new PassThrough({ highWaterMark: CHUNK_BYTES });
  pipeline([source, ...unpackers, output]).catch((error: Error) => output.destroy(error));
  return output;
}

/** `numBytes`: of the contents that were read before. */
function readFailure(file: string, thrown: unknown, numBytes: number): StagecraftError {
  if (thrown instanceof StagecraftError) return thrown;
  const { code = "", message } = thrown as NodeJS.ErrnoException;
  const options = { cause: thrown, details: { file } };
  if (code.startsWith("Z_") || code.startsWith("ZSTD_")) {
    const packing = compressionOf(file)?.name ?? "gzip";
    const reason = `${file} is no intact ${packing} file (${message}, after ${numBytes} bytes of its contents); copy or compress it again`;
    return new StagecraftError("data_loss", reason, options);
  }
  if (code === "ENOENT") {
    return new StagecraftError("not_found", `there is no file ${file}`, options);
  }
  const error = StagecraftError.from(thrown);
  return new StagecraftError(error.code, `cannot read ${file}: ${error.reason}`, options);
}

/** Decodes UTF-8 strictly and knows where it is, for errors. */
class Utf8Checker {
  private carry: Buffer = Buffer.alloc(0);
  private offset = 0;
  private line = 1;

  constructor(private readonly file: string) {}

  push(chunk: Buffer): string {
    const bytes = this.carry.length > 0 ? Buffer.concat([this.carry, chunk]) : chunk;
    const end = bytes.length - incompleteTail(bytes);
    this.carry = Buffer.from(bytes.subarray(end));
    const whole = bytes.subarray(0, end);
    this.check(whole);
    const hasMark = this.offset === 0 && whole.subarray(0, 3).equals(BYTE_ORDER_MARK);
    this.offset += end;
    return whole.toString("utf8", hasMark ? BYTE_ORDER_MARK.length : 0);
  }

  finish(): void {
    if (this.carry.length > 0) this.check(this.carry);
  }

  private check(bytes: Buffer): void {
    if (this.offset === 0 && UTF16_MARKS.some((mark) => bytes.subarray(0, 2).equals(mark))) {
      this.fail(bytes, 0, "is UTF-16; convert it to UTF-8, e.g. iconv -f UTF-16 -t UTF-8");
    }
    const zero = bytes.indexOf(0);
    if (zero >= 0) {
      this.fail(bytes, zero, "holds a zero byte, so it is binary data and not text");
    }
    if (!isUtf8(bytes)) {
      let at = 0;
      for (let length; (length = utf8CharLength(bytes, at)) > 0;) at += length;
      const hex = bytes[at]!.toString(16).padStart(2, "0");
      this.fail(bytes, at, `is not valid UTF-8 (byte 0x${hex}); convert it, e.g. with iconv`);
    }
    this.line += countNewlines(bytes);
  }

  private fail(bytes: Buffer, at: number, what: string): never {
    const line = this.line + countNewlines(bytes.subarray(0, at));
    const offset = this.offset + at;
    throw new StagecraftError(
      "invalid_argument",
      `${this.file}:${line}: the file ${what} (at byte ${offset})`,
      { details: { file: this.file, line, offset } },
    );
  }
}

/** Bytes at the end that begin a character which the next chunk completes. */
function incompleteTail(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back]!;
    if (byte < 0x80) return 0;
    if (byte < 0xc0) continue;
    const length = byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
    return back < length ? back : 0;
  }
  return 0;
}

function countNewlines(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) count++;
  return count;
}
