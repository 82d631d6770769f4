import { StagecraftError } from "@stagecraft/core";
import type { Decoder, DecoderRow } from "@stagecraft/tensor";
import type { Active } from "./active.js";
import type { SampledToken } from "./sampling.js";
import type { ReadPlan } from "./read-plan.js";
import type { Sequence } from "./sequence.js";
import { logitsNotFinite } from "./softmax-weights.js";
import { topTokens } from "./top-tokens.js";

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

/** What one sequence got in a step; with an error it can have no more, whatever the others got. */
export interface Drawn {
  readonly tokens: readonly SampledToken[];
  readonly error?: StagecraftError;
}

/**
 * Feeds what each sequence has pending and draws what follows: up to `numTokens` tokens by the
 * decoder's own sampler where it has one, else one by `sampleToken`. None follows an end token. A
 * sequence whose logits are not finite fails alone, and how one is drawn depends on itself alone: what
 * others ask for changes no bit of it.
 */
export async function drawTokens(
  decoder: Decoder,
  members: readonly Active[],
  { vocabSize, numTokens }: { vocabSize: number; numTokens: number },
): Promise<Drawn[]> {
  const isInside = ({ sequence }: Active) => decoder.step !== undefined && !sequence.needsLogits;
  const inside = members.filter((member) => isInside(member) && !isJudged(member));
  const judged = members.filter((member) => isInside(member) && isJudged(member));
  const outside = members.filter((member) => !isInside(member));
  const drawn = new Map<Active, Drawn>();
  const note = (group: readonly Active[], results: readonly Drawn[]) =>
    group.forEach((member, i) => drawn.set(member, results[i]!));
  if (inside.length > 0) note(inside, drawInside(decoder, inside.map(withRow), numTokens));
  if (judged.length > 0) note(judged, await drawJudged(decoder, judged, vocabSize));
  if (outside.length > 0) {
    const logits = await decoder.append(outside.map(rowOf));
    note(
      outside,
      outside.map(({ sequence }, i) => drawOne(sequence, logitsOf(logits, i, vocabSize))),
    );
  }
  return members.map((member) => drawn.get(member)!);
}

const isJudged = ({ sequence }: Active) => sequence.numTop !== undefined;
const withRow = (active: Active) => ({ active, row: rowOf(active) });
const logitsOf = (logits: Float32Array, i: number, vocabSize: number) =>
  logits.subarray(i * vocabSize, (i + 1) * vocabSize);

function drawOne(sequence: Sequence, logits: Float32Array): Drawn {
  try {
    return { tokens: [judge(sequence, sequence.sample(logits), logits)] };
  } catch (thrown) {
    return { tokens: [], error: StagecraftError.from(thrown) };
  }
}

/**
 * The decoder's own sampler draws, so that the answer is the one that nobody asked about; it hands out
 * no logits, so the last token is read twice.
 */
async function drawJudged(
  decoder: Decoder,
  members: readonly Active[],
  vocabSize: number,
): Promise<Drawn[]> {
  const logits = await decoder.append(members.map(rowOf));
  const again = members.map((active) => {
    const { slot, sequence } = active;
    decoder.truncate(slot, sequence.ids.length - 1);
    return { active, row: { slot, ids: Int32Array.of(sequence.ids.at(-1)!) } };
  });
  return drawInside(decoder, again, 1).map((drawn, i) => {
    if (drawn.error) return drawn;
    const { sequence } = members[i]!;
    const row = logitsOf(logits, i, vocabSize);
    return { tokens: drawn.tokens.map((token) => judge(sequence, token, row)) };
  });
}

function judge(sequence: Sequence, token: SampledToken, logits: Float32Array): SampledToken {
  const { numTop, temperature } = sequence;
  return numTop === undefined
    ? token
    : { ...token, top: topTokens(logits, { temperature, count: numTop, drawn: token }) };
}

function drawInside(
  decoder: Decoder,
  rows: readonly { active: Active; row: DecoderRow }[],
  numTokens: number,
): Drawn[] {
  const members = rows.map(({ active }) => active);
  const count = members.length;
  const temperatures = new Float32Array(count);
  const limits = new Int32Array(count);
  const eosIds = new Int32Array(count);
  const uniforms = new Float32Array(count * numTokens);
  members.forEach(({ sequence }, i) => {
    temperatures[i] = sequence.temperature;
    eosIds[i] = sequence.eosId ?? -1;
    const limit = (limits[i] = Math.min(numTokens, sequence.numLeft));
    for (let k = 0; k < limit; k++) uniforms[i * numTokens + k] = sequence.nextUniform();
  });
  const filters = members.map(({ sequence }) => sequence.filters);
  const inputs = rows.map(({ row }) => row);
  const { ids, logProbs, counts } = decoder.step!(inputs, {
    ...{ temperatures, uniforms, numTokens, limits, eosIds },
    ...(filters.some(Boolean) ? { filters } : {}),
  });
  return members.map((_, i) => {
    const tokens: SampledToken[] = [];
    for (let at = i * numTokens; at < i * numTokens + counts[i]!; at++) {
      if (!Number.isFinite(logProbs[at])) return { tokens, error: logitsNotFinite() };
      tokens.push({ id: ids[at]!, logProb: logProbs[at]! });
    }
    return { tokens };
  });
}

function rowOf({ slot, sequence }: Active): DecoderRow {
  return { slot, ids: sequence.pending() };
}
