import { appendFile, open, type FileHandle } from "node:fs/promises";
import { createSerialQueue, StagecraftError } from "@stagecraft/core";

/** A file of JSON lines that only grows; what `append` resolved for is on the disk. */
export interface Journal extends AsyncDisposable {
  /** Adds records, all or none; calls are carried out one after another. */
  append(records: readonly unknown[]): Promise<void>;
  close(): Promise<void>;
}

export interface JournalOptions {
  /** Throws for a record that is none. */
  onRecord(record: unknown): void;
  /** Told when half a last line was put aside; with the file that has it now. */
  onCut?(file: string): void;
}

const NEWLINE = 0x0a;

/**
 * Opens a journal and hands every record to `onRecord`. Half a last line was being written when the
 * process died, or somebody damaged the file: it is moved to `<file>.cut`, never deleted. A whole one that
 * only lost its line end is a record. Throws `data_loss` with file and line for anything else that is
 * not JSON or that `onRecord` refuses, and leaves the file as it is.
 */
export async function openJournal(
  file: string,
  { onRecord, onCut }: JournalOptions,
): Promise<Journal> {
  const handle = await open(file, "a+");
  try {
    const bytes = await handle.readFile();
    let size = bytes.lastIndexOf(NEWLINE) + 1;
    replay(bytes.subarray(0, size), { file, onRecord });
    const rest = bytes.subarray(size);
    if (isRecord(rest, onRecord)) {
      await handle.appendFile("\n");
      size = bytes.length + 1;
    } else if (rest.length > 0) {
      await appendFile(`${file}.cut`, Buffer.concat([rest, Buffer.from("\n")]), { flush: true });
      await handle.truncate(size);
      onCut?.(`${file}.cut`);
    }
    return new FileJournal(handle, { file, size });
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Line by line: the whole as one string has a limit. */
function replay(
  bytes: Buffer,
  { file, onRecord }: { file: string; onRecord: (record: unknown) => void },
): void {
  for (let start = 0, number = 1; start < bytes.length; number++) {
    const end = bytes.indexOf(NEWLINE, start);
    try {
      if (end > start) onRecord(parse(bytes.subarray(start, end)));
    } catch (cause) {
      const reason = `${file}:${number} is damaged (${(cause as Error).message}); restore the file, or take the line out`;
      throw new StagecraftError("data_loss", reason, { cause });
    }
    start = end + 1;
  }
}

function isRecord(line: Buffer, onRecord: (record: unknown) => void): boolean {
  if (line.length === 0) return false;
  try {
    onRecord(parse(line));
    return true;
  } catch {
    return false;
  }
}

/** Throws for bytes that are no UTF-8, which would otherwise become other text unnoticed. */
function parse(line: Uint8Array): unknown {
  return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(line));
}

class FileJournal implements Journal {
  private readonly writes = createSerialQueue();
  private size: number;
  private readonly file: string;

  constructor(
    private readonly handle: FileHandle,
    { file, size }: { file: string; size: number },
  ) {
    this.file = file;
    this.size = size;
  }

  append(records: readonly unknown[]): Promise<void> {
    return this.writes.run(() => this.write(records));
  }

  async close(): Promise<void> {
    await this.writes.idle();
    await this.handle.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private async write(records: readonly unknown[]): Promise<void> {
    if (records.length === 0) return;
    const bytes = Buffer.from(records.map((record) => `${JSON.stringify(record)}\n`).join(""));
    try {
      await this.handle.appendFile(bytes);
      await this.handle.datasync();
      this.size += bytes.length;
    } catch (cause) {
      await this.handle.truncate(this.size).catch(() => undefined); // no half record in the middle
      const reason = `${this.file} cannot be written: ${(cause as Error).message}; nothing was stored`;
      throw new StagecraftError("unavailable", reason, { cause });
    }
  }
}
