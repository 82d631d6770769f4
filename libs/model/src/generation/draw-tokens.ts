import type { Decoder, DecoderRow } from "./decoder.js";
import type { SampledToken } from "./sampling.js";
import type { Sequence } from "./sequence.js";

/** A sequence in a slot of the decoder. */
export interface Active {
  readonly handle: number;
  readonly slot: number;
  readonly sequence: Sequence;
}

/** Sequences that hold the same tokens and differ in how they go on. */
export type Group = [Active, ...Active[]];

/**
 * Reads all but the last token of what the members of each group share, once for the group. Groups
 * of one, and of one token, are left alone.
 */
export async function readShared(decoder: Decoder, groups: readonly Group[]): Promise<void> {
  const shared = groups.filter((group) => group.length > 1 && group[0].sequence.ids.length > 1);
  if (shared.length === 0) return;
  await decoder.append(
    shared.map(([{ slot, sequence }]) => ({ slot, ids: sequence.pending().subarray(0, -1) })),
  );
  for (const [first, ...others] of shared) {
    const length = first.sequence.ids.length - 1;
    for (const { slot } of others) decoder.fork(first.slot, slot, length);
    for (const { sequence } of [first, ...others]) sequence.numDecoded = length;
  }
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
