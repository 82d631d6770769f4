/** A number of a trial, such as STAGECRAFT_COMPARISONS=20; without it the trial is as large as it must be. */
export function trialNumber(name: string, full: number): number {
  const text = process.env[name];
  const value = Number(text ?? full);
  if (Number.isInteger(value) && value > 0) return value;
  throw new Error(`${name}=${text} must be a whole number above 0`);
}

/** Prints what a trial did, so that its figures can be read and a random one repeated. */
export function tell(trial: string, figures: Readonly<Record<string, string | number>>): void {
  const text = Object.entries(figures).map(([what, value]) => `${what} ${value}`);
  process.stdout.write(`${trial}: ${text.join(", ")}\n`);
}
