import { formatCount, formatDuration } from "@stagecraft/core";
import type { StageProgress } from "@stagecraft/runs";

const BAR_WIDTH = 24;

/** `pretrain  900/2000 steps  45%  8.10k tokens/s  2m 10s left  loss 1.93` */
export function progressText(progress: StageProgress, remainingMs: number): string {
  const { stage, done, total, unit, tokensPerSecond, note } = progress;
  const isTotalKnown = total > 0;
  const parts = [
    `${stage}  ${count(done)}${isTotalKnown ? `/${count(total)}` : ""} ${unit}`,
    isTotalKnown ? `${Math.floor(fraction(progress) * 100)}%` : "",
    tokensPerSecond === undefined ? "" : `${formatCount(tokensPerSecond)} tokens/s`,
    Number.isFinite(remainingMs) && done < total ? `${formatDuration(remainingMs)} left` : "",
    note ?? "",
  ];
  return parts.filter(Boolean).join("  ");
}

/** `━━━━━━──────` of a fixed width. */
export function progressBar(progress: StageProgress): string {
  const filled = Math.round(fraction(progress) * BAR_WIDTH);
  return "━".repeat(filled) + "─".repeat(BAR_WIDTH - filled);
}

/** True when all is done; never while the total is unknown. */
export function isComplete({ done, total }: StageProgress): boolean {
  return total > 0 && done >= total;
}

function fraction({ done, total }: StageProgress): number {
  return total > 0 ? Math.min(1, Math.max(0, done / total)) : 0;
}

function count(value: number): string {
  return value < 1e6 ? String(Math.round(value)) : formatCount(value);
}
