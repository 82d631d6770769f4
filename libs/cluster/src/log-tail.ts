import { open } from "node:fs/promises";

const TAIL_BYTES = 16 * 1024;

/** The last line of a log that is not empty; of a JSON line its message. Empty when there is none. */
export async function lastLogLine(file: string): Promise<string> {
  const lines = (await readTail(file)).split("\n").map((line) => line.trim());
  return messageOf(lines.findLast((line) => line !== "") ?? "");
}

async function readTail(file: string): Promise<string> {
  try {
    await using handle = await open(file);
    const { size } = await handle.stat();
    const start = Math.max(0, size - TAIL_BYTES);
    const { buffer, bytesRead } = await handle.read({
      buffer: Buffer.alloc(Math.min(size, TAIL_BYTES)),
      position: start,
    });
    return buffer.toString("utf8", 0, bytesRead);
  } catch {
    return "";
  }
}

function messageOf(line: string): string {
  try {
    const { msg, err } = JSON.parse(line) as { msg?: string; err?: { message?: string } };
    return [msg, err?.message].filter(Boolean).join(": ") || line;
  } catch {
    return line;
  }
}
