import { isLogProb, LOG_PROB_RANGE, StagecraftError } from "@stagecraft/core";

/** The error for a field that is not what it must be: `sampling.top_p is 1.5, must be in (0, 1]`. */
export function invalidField(field: string, value: unknown, expected: string): StagecraftError {
  const shown = typeof value === "string" ? JSON.stringify(value.slice(0, 80)) : String(value);
  return new StagecraftError("invalid_argument", `${field} is ${shown}, must be ${expected}`, {
    details: { field, value: shown, expected },
  });
}

/** Returns the value if it lies in [min, max]; NaN never does. */
export function checkRange(value: number, field: string, min: number, max: number): number {
  if (value >= min && value <= max) return value;
  throw invalidField(field, value, describeRange(min, max));
}

/** Returns the value if it is a finite number. */
export function checkFinite(value: number, field: string): number {
  if (Number.isFinite(value)) return value;
  throw invalidField(field, value, "a finite number");
}

/** Returns the value if it is finite as a float32, which is what computes with it. */
export function checkFloat32(value: number, field: string): number {
  if (Number.isFinite(Math.fround(value))) return value;
  throw invalidField(field, value, "a finite number that a float32 can hold");
}

/** Returns the list if every number in it can be the log-prob of a token that was drawn. */
export function checkLogProbs(values: readonly number[], field: string): Float32Array {
  const logProbs = Float32Array.from(values);
  const bad = logProbs.findIndex((value) => !isLogProb(value));
  if (bad === -1) return logProbs;
  throw invalidField(`${field}[${bad}]`, values[bad], `a log-prob ${LOG_PROB_RANGE}`);
}

/** A 64-bit field as a number; values above 2^53 − 1 are refused, never rounded. */
export function checkSafeInteger(value: bigint, field: string): number {
  if (value >= 0n && value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
  throw invalidField(field, value, "an integer from 0 to 2^53 − 1");
}

/** Returns the list if its length lies in [min, max]. */
export function checkLength<T extends { readonly length: number }>(
  list: T,
  field: string,
  min: number,
  max = Infinity,
): T {
  if (list.length >= min && list.length <= max) return list;
  throw invalidField(`length of ${field}`, list.length, describeRange(min, max));
}

/** Returns the list if it is as long as what it must be aligned with. */
export function checkAligned<T extends { readonly length: number }>(
  list: T,
  field: string,
  expected: { length: number; like: string },
): T {
  if (list.length === expected.length) return list;
  const wanted = `${expected.length}, one for each of ${expected.like}`;
  throw invalidField(`length of ${field}`, list.length, wanted);
}

/** Returns a message field that must be set. */
export function checkPresent<T>(value: T | undefined, field: string): T {
  if (value !== undefined) return value;
  const reason = `${field} is missing, must be set`;
  throw new StagecraftError("invalid_argument", reason, { details: { field } });
}

/** Returns the string if it is empty or a name. */
export function checkOptionalName(value: string, field: string, maxLength = 256): string {
  return value === "" ? value : checkName(value, field, maxLength);
}

/** Returns the string if it has 1 to `maxLength` characters. */
export function checkName(value: string, field: string, maxLength = 256): string {
  if (value.length >= 1 && value.length <= maxLength) return value;
  throw invalidField(field, value, `1 to ${maxLength} characters`);
}

function describeRange(min: number, max: number): string {
  return max === Infinity ? `at least ${min}` : `from ${min} to ${max}`;
}
