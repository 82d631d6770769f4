import { open, type FileHandle } from "node:fs/promises";
import { StagecraftError } from "@stagecraft/core";

/** A file of JSON lines that only grows; what `append` resolved for is on the disk. */
export interface Journal extends AsyncDisposable {
  /** Adds records, all or none; calls are carried out one after another. */
  append(records: readonly unknown[]): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens a journal and hands every whole line to `onRecord`. A last line without its end was being
 * written when the process died: it was never acknowledged and is cut off. Throws `data_loss` with
 * file and line for anything else that is not JSON or that `onRecord` refuses.
 */
export async function openJournal(
  file: string,
  onRecord: (record: unknown) => void,
): Promise<Journal> {
  const handle = await open(file, "a+");
  try {
    const text = await handle.readFile("utf8");
    const end = text.lastIndexOf("\n") + 1;
    replay(text.slice(0, end), { file, onRecord });
    const size = Buffer.byteLength(text.slice(0, end));
    await handle.truncate(size);
    return new FileJournal(handle, { file, size });
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function replay(
  text: string,
  { file, onRecord }: { file: string; onRecord: (record: unknown) => void },
): void {
  text.split("\n").forEach((line, i) => {
    if (line === "") return;
    try {
      onRecord(JSON.parse(line));
    } catch (cause) {
      const reason = `${file}:${i + 1} is damaged (${(cause as Error).message}); restore the file, or take the line out`;
      throw new StagecraftError("data_loss", reason, { cause });
    }
  });
}

class FileJournal implements Journal {
  private turn: Promise<unknown> = Promise.resolve();
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
    const result = this.turn.then(() => this.write(records));
    this.turn = result.catch(() => undefined);
    return result;
  }

  async close(): Promise<void> {
    await this.turn;
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
