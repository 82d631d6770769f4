import { formatCount, formatDuration } from "@stagecraft/core";
import type { StageProgress } from "@stagecraft/learn";

const BAR_WIDTH = 24;

/** `pretrain  900/2000 steps  45%  8.10k tokens/s  2m 10s left  loss 1.93` */
export function progressText(progress: StageProgress, remainingMs: number): string {
  const { stage, done, total, unit, tokensPerSecond, note } = progress;
  const parts = [
    `${stage}  ${count(done)}/${count(total)} ${unit}`,
    `${Math.floor(fraction(progress) * 100)}%`,
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

function fraction({ done, total }: StageProgress): number {
  return total > 0 ? Math.min(1, Math.max(0, done / total)) : 1;
}

function count(value: number): string {
  return value < 1e6 ? String(Math.round(value)) : formatCount(value);
}
