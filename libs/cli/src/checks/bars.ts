import { figure } from "../report/result-text.js";

/** A figure and the limit it has to keep. */
export interface Bar {
  /** What is measured, such as "gold score minus SFT's"; never what the bound may not ask for. */
  name: string;
  value: number;
  /** The value must be at least this. */
  atLeast?: number;
  /** The value must be at most this. */
  atMost?: number;
}

/** A bar with its verdict; NaN passes nothing. */
export interface JudgedBar extends Bar {
  passed: boolean;
}

export function judge(bars: readonly Bar[]): JudgedBar[] {
  return bars.map((bar) => {
    const { value, atLeast = -Infinity, atMost = Infinity } = bar;
    return { ...bar, passed: value >= atLeast && value <= atMost };
  });
}

/** `✔ validation loss  1.886  (at most 1.9)` */
export function barLine({ name, value, atLeast, atMost, passed }: JudgedBar): string {
  const limits = [
    atLeast === undefined ? "" : `at least ${figure(atLeast)}`,
    atMost === undefined ? "" : `at most ${figure(atMost)}`,
  ].filter(Boolean);
  return `${passed ? "✔" : "✘"} ${name}: ${figure(value)} (${limits.join(", ")})`;
}
