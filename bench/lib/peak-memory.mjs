import { readdirSync, readFileSync } from "node:fs";

/**
 * Peak resident memory of a running process and of its children in MB, each at its own peak, read
 * from outside so that every language is measured alike. Undefined where there is no /proc.
 * @param {number} pid
 */
export function peakMemoryMb(pid) {
  const own = peakOf(pid);
  if (own === undefined) return undefined;
  return childrenOf(pid).reduce((sum, child) => sum + (peakMemoryMb(child) ?? 0), own);
}

/** Processor seconds that a process and its children have used. @param {number} pid */
export function cpuSeconds(pid) {
  const fields = statOf(pid);
  if (!fields) return undefined;
  const own = (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  return childrenOf(pid).reduce((sum, child) => sum + (cpuSeconds(child) ?? 0), own);
}

const TICKS_PER_SECOND = 100; // USER_HZ is 100 on every Linux that Node runs on

function peakOf(pid) {
  const kilobytes = /^VmHWM:\s+(\d+) kB/m.exec(readText(`/proc/${pid}/status`) ?? "")?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) / 1024;
}

/** The fields after the name, which may hold blanks. */
function statOf(pid) {
  const text = readText(`/proc/${pid}/stat`);
  return text?.slice(text.lastIndexOf(")") + 2).split(" ");
}

function childrenOf(pid) {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      (readText(`/proc/${pid}/task/${task}/children`) ?? "").split(" ").filter(Boolean).map(Number),
    );
  } catch {
    return [];
  }
}

function readText(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
