import { readFileSync } from "node:fs";
import { cpuSeconds } from "./peak-memory.mjs";

/**
 * Starts watching what others do on the machine; the returned function says, as shares of all
 * processors since then, how much other programs took and how much the hypervisor withheld. Call it
 * while the measured programs are still there. Undefined where there is no /proc.
 */
export function watchDisturbance() {
  const before = snapshot();
  return () => {
    const after = snapshot();
    if (!before || !after) return undefined;
    const total = after.total - before.total;
    const ownTicks = 100 * (after.own - before.own);
    return {
      others: round(Math.max(0, after.busy - before.busy - ownTicks) / total),
      stolen: round((after.stolen - before.stolen) / total),
    };
  };
}

const round = (share) => Math.round(share * 1000) / 1000;

function snapshot() {
  try {
    const [line] = readFileSync("/proc/stat", "utf8").split("\n");
    const [user, nice, system, idle, wait, irq, softirq, stolen] = line
      .trim()
      .split(/\s+/)
      .slice(1)
      .map(Number);
    const busy = user + nice + system + irq + softirq;
    return { busy, stolen, total: busy + idle + wait + stolen, own: cpuSeconds(process.pid) };
  } catch {
    return undefined;
  }
}
