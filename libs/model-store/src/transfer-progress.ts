import { formatBytes } from "@stagecraft/core";

/** Is told how a transfer goes. */
export interface TransferReporter {
  begin(totalBytes: number): void;
  file(name: string): void;
  /** More bytes are there. */
  add(numBytes: number): void;
  /** What else happens: a connection that was cut, another process that is waited for. */
  say(text: string): void;
}

/**
 * Writes a line `model.safetensors  512.0 MiB of 1.4 GiB  36%  104.0 MiB/s`, at most once every `everyMs`
 * (default 2 s), and one when everything is there.
 */
export function createTransferProgress(
  write: (line: string) => void,
  { now = () => performance.now(), everyMs = 2000 }: { now?: () => number; everyMs?: number } = {},
): TransferReporter {
  let total = 0;
  let done = 0;
  let name = "";
  let startedAt = 0;
  let saidAt = 0;
  const say = () => {
    saidAt = now();
    const seconds = (saidAt - startedAt) / 1000;
    const rate = seconds > 0 ? `  ${formatBytes(done / seconds)}/s` : "";
    const share = total > 0 ? Math.floor((100 * done) / total) : 100;
    write(`${name}  ${formatBytes(done)} of ${formatBytes(total)}  ${share}%${rate}`);
  };
  return {
    say: write,
    begin(totalBytes) {
      [total, done] = [totalBytes, 0];
      startedAt = saidAt = now();
    },
    file: (next) => void (name = next),
    add(numBytes) {
      done += numBytes;
      if (done >= total || now() - saidAt >= everyMs) say();
    },
  };
}
