/** A share as people read it: `92 %`; a dash where there is none. */
export function percent(share: number | null): string {
  return share === null ? "–" : `${Math.round(100 * share)} %`;
}

/** A figure between −1 and 1; a dash where there is none. */
export function decimal(value: number | null): string {
  return value === null ? "–" : value.toFixed(2);
}

/** Seconds as people say them: `45 s`, `2 min 05 s`; a dash where there is none. */
export function seconds(value: number | null): string {
  if (value === null) return "–";
  const whole = Math.round(value);
  if (whole < 60) return `${whole} s`;
  return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
}

/** A long time in its largest unit: `45 seconds`, `12 minutes`, `3 hours`, `2 days`. */
export function howLong(seconds: number): string {
  if (seconds < 60) return count(Math.floor(seconds), "second");
  if (seconds < 3600) return count(Math.floor(seconds / 60), "minute");
  if (seconds < 48 * 3600) return count(Math.floor(seconds / 3600), "hour");
  return count(Math.floor(seconds / 86_400), "day");
}

/** `1 answer`, `2 answers`. */
export function count(n: number, one: string, many = `${one}s`): string {
  return `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
}

/** Date and time in the reader's own zone. */
export function dateTime(iso: string | null): string {
  if (iso === null) return "never";
  return new Date(iso).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
}

/** `A`, `B`, … `Z`, `AA`: how answers are called on the screen. */
export function letter(index: number): string {
  const last = String.fromCharCode(65 + (index % 26));
  return index < 26 ? last : letter(Math.floor(index / 26) - 1) + last;
}
