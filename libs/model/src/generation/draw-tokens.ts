import type { Decoder, DecoderRow } from "./decoder.js";
import type { SampledToken } from "./sampling.js";
import type { ReadPlan } from "./read-plan.js";
import type { Sequence } from "./sequence.js";

/** A sequence in a slot of the decoder. */
export interface Active {
  readonly handle: number;
  readonly slot: number;
  readonly sequence: Sequence;
  /** Room reserved for it. */
  readonly numTokens: number;
}

/** Sequences that hold the same tokens and differ in how they go on. */
export type Group = [Active, ...Active[]];

/**
 * Copies what other slots hold, then reads parts of prompts and, once for each group, all but the last
 * token of what its members share. Tells how many tokens it read, and how many it had not to.
 */
export async function readAhead(
  decoder: Decoder,
  { copies, parts, groups }: ReadPlan,
): Promise<{ numRead: number; numShared: number }> {
  let numShared = 0;
  const copy = (from: Active, to: Active, length: number) => {
    if (length > 0) decoder.fork(from.slot, to.slot, length);
    numShared += length - to.sequence.numDecoded;
    to.sequence.numDecoded = length;
  };
  for (const { from, to, length } of copies) copy(from, to, length);
  const shared = groups.filter((group) => group.length > 1);
  const beginnings = shared.map(([active]) => {
    return { active, numTokens: active.sequence.numPending - 1 };
  });
  const numRead = await readParts(decoder, [...parts, ...beginnings]);
  for (const [first, ...others] of shared) {
    for (const other of others) copy(first, other, first.sequence.numDecoded);
  }
  return { numRead, numShared };
}

async function readParts(decoder: Decoder, parts: ReadPlan["parts"]): Promise<number> {
  const reads = parts.filter(({ numTokens }) => numTokens > 0);
  if (reads.length === 0) return 0;
  const rows = reads.map(({ active: { slot, sequence }, numTokens }) => {
    return { slot, ids: sequence.pending().subarray(0, numTokens) };
  });
  await decoder.append(rows);
  for (const { active, numTokens } of reads) active.sequence.numDecoded += numTokens;
  return reads.reduce((sum, { numTokens }) => sum + numTokens, 0);
}

/**
 * Feeds what each sequence has pending and draws its next token. Plain sequences go through the
 * decoder's own sampler where it has one. Which way a sequence goes depends on itself alone, so
 * that its answer does not depend on the others.
 */
export async function drawTokens(
  decoder: Decoder,
  members: readonly Active[],
  vocabSize: number,
): Promise<SampledToken[]> {
  const tokens = new Map<Active, SampledToken>();
  const inside = members.filter(({ sequence }) => decoder.step && sequence.isPlain);
  stepInside(decoder, inside).forEach((token, i) => tokens.set(inside[i]!, token));
  const outside = members.filter((member) => !tokens.has(member));
  const logits = outside.length > 0 ? await decoder.append(outside.map(rowOf)) : NO_LOGITS;
  outside.forEach((member, i) => {
    const row = logits.subarray(i * vocabSize, (i + 1) * vocabSize);
    tokens.set(member, member.sequence.sample(row));
  });
  return members.map((member) => tokens.get(member)!);
}

const NO_LOGITS = new Float32Array(0);

function stepInside(decoder: Decoder, members: readonly Active[]): SampledToken[] {
  if (!decoder.step || members.length === 0) return [];
  const { ids, logProbs } = decoder.step(members.map(rowOf), {
    temperatures: Float32Array.from(members, ({ sequence }) => sequence.temperature),
    uniforms: Float32Array.from(members, ({ sequence }) => sequence.nextUniform()),
  });
  return members.map((_, i) => ({ id: ids[i]!, logProb: logProbs[i]! }));
}

function rowOf({ slot, sequence }: Active): DecoderRow {
  return { slot, ids: sequence.pending() };
}
