import { formatDuration } from "@stagecraft/core";

/** Tells on stderr how far it is: one line that is written over on a terminal, one in ten seconds elsewhere. */
export function teller(what: string) {
  const startedAt = performance.now();
  let toldAt = 0;
  return (done: number, total: number, note = ""): void => {
    const now = performance.now();
    const { isTTY } = process.stderr;
    if (now - toldAt < (isTTY ? 200 : 10_000) && done < total) return;
    toldAt = now;
    const perStrike = (now - startedAt) / done;
    const rate = (1000 / perStrike).toFixed(2);
    const left = formatDuration(perStrike * (total - done));
    const line = `${what}  ${done}/${total}  ${rate}/s  ${left} left  ${note}`;
    process.stderr.write(isTTY ? `\r\x1b[K${line}` : `${line}\n`);
  };
}
