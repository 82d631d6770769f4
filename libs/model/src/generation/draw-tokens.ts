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
 * Feeds what each sequence has pending and draws its next token: by the decoder's own sampler where
 * it has one, else by `sampleToken`.
 */
export async function drawTokens(
  decoder: Decoder,
  members: readonly Active[],
  vocabSize: number,
): Promise<SampledToken[]> {
  if (decoder.step) return drawInside(decoder.step.bind(decoder), members);
  const logits = await decoder.append(members.map(rowOf));
  return members.map(({ sequence }, i) => {
    return sequence.sample(logits.subarray(i * vocabSize, (i + 1) * vocabSize));
  });
}

function drawInside(
  step: NonNullable<Decoder["step"]>,
  members: readonly Active[],
): SampledToken[] {
  const temperatures = new Float32Array(members.length);
  const uniforms = new Float32Array(members.length);
  members.forEach(({ sequence }, i) => {
    temperatures[i] = sequence.temperature;
    uniforms[i] = sequence.nextUniform();
  });
  const filters = members.map(({ sequence }) => sequence.filters);
  const sampling = { temperatures, uniforms, ...(filters.some(Boolean) ? { filters } : {}) };
  const { ids, logProbs } = step(members.map(rowOf), sampling);
  return members.map((_, i) => ({ id: ids[i]!, logProb: logProbs[i]! }));
}

function rowOf({ slot, sequence }: Active): DecoderRow {
  return { slot, ids: sequence.pending() };
}
