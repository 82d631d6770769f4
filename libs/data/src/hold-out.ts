import { createHash } from "node:crypto";
import type { Message } from "@stagecraft/tokenizer";

/**
 * Divides records for validation by the hash of a key, such as `promptKey`: records with the same
 * key stay on one side, and adding records moves none.
 */
export function holdOut<T>(
  records: readonly T[],
  fraction: number,
  keyOf: (record: T) => string,
): { train: T[]; validation: T[]; numKeys: number } {
  const train: T[] = [];
  const validation: T[] = [];
  const keys = new Set<string>();
  for (const record of records) {
    const hash = createHash("sha256").update(keyOf(record)).digest();
    keys.add(hash.toString("base64"));
    (hash.readUInt32LE(0) / 2 ** 32 < fraction ? validation : train).push(record);
  }
  return { train, validation, numKeys: keys.size };
}

/**
 * What makes a conversation's prompt: everything before the assistant's first answer, and without a
 * question before it the whole conversation. A system prompt that all share decides nothing alone.
 */
export function promptKey(messages: readonly Message[]): string {
  const answer = messages.findIndex(({ role }) => role === "assistant");
  const prompt = answer < 0 ? messages : messages.slice(0, answer);
  const whole = prompt.some(({ role }) => role === "user") ? prompt : messages;
  return JSON.stringify(whole.map(({ role, content }) => [role, content]));
}

/** A split by keys as it came out. */
export interface SplitSizes {
  /** The share that was asked for. */
  fraction: number;
  numTrain: number;
  numHeldOut: number;
  /** What is counted, such as "rankings". */
  what: string;
}

/** A share held out that is nothing, or off by more than a factor of 2, as a sentence. */
export function shareProblem(sizes: SplitSizes): string | undefined {
  const { fraction, numTrain, numHeldOut, what } = sizes;
  const total = numTrain + numHeldOut;
  const share = numHeldOut / total;
  if (fraction === 0 || total === 0) return undefined;
  if (share >= fraction / 2 && share <= 2 * fraction && numHeldOut > 0) return undefined;
  const percent = (value: number) => `${Number((100 * value).toPrecision(2))} %`;
  return `${numHeldOut} of ${total} ${what} are held out (${percent(share)}), ${percent(fraction)} were asked for`;
}
