/** Durations by their largest and their median. */
export class Times {
  private readonly values: number[] = [];

  add(ms: number): void {
    this.values.push(ms);
  }

  max(): number {
    return Math.round(Math.max(0, ...this.values));
  }

  median(): number {
    const sorted = [...this.values].sort((a, b) => a - b);
    return Math.round(sorted[Math.floor(sorted.length / 2)] ?? 0);
  }

  countAbove(limitMs: number): number {
    return this.values.filter((ms) => ms > limitMs).length;
  }
}

/** A problem when a limit was passed and limits are checked. */
export function tooLate(
  times: Times,
  { limitMs, what, check }: { limitMs: number; what: string; check: boolean },
): string[] {
  const late = times.countAbove(limitMs);
  return check && late > 0
    ? [`${what}: ${late} times later than ${limitMs} ms, at most ${times.max()} ms`]
    : [];
}
