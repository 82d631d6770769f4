/** The middle value; of an even number the upper one. @param {readonly number[]} values */
export const median = (values) => percentile(values, 50);

/** Nearest rank. @param {readonly number[]} values @param {number} p 0 … 100 */
export function percentile(values, p) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor((p / 100) * sorted.length))];
}

/** Few enough digits to read, enough to compute with. @param {number} value */
export function tidy(value) {
  if (!Number.isFinite(value)) return value;
  if (Math.abs(value) >= 1000) return Math.round(value);
  return Number(value.toPrecision(4));
}
