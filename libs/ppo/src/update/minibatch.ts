import type { Estimates, Experience } from "../batch/experience.js";
import type { Reduction } from "../math/masked.js";
import { layoutSequences, microBatches, type RolloutLayout } from "../batch/layout.js";

/** One item of a minibatch with its advantages. */
export interface Item {
  experience: Experience;
  advantages: Float64Array;
  returns: Float64Array;
}

/** Experience with its advantages, answer by answer. */
export function toItems(batch: readonly Experience[], estimates: Estimates): Item[] {
  return batch.map((experience, i) => ({
    experience,
    advantages: estimates.advantages[i]!,
    returns: estimates.returns[i]!,
  }));
}

/** A micro-batch laid out, with its share of the minibatch's weights. */
export interface Part {
  items: Item[];
  layout: RolloutLayout;
  /** Per trained token, end to end. */
  weights: Float64Array;
}

/** What the mean of a minibatch is over: tokens or answers. */
export function weightOf(parts: readonly Part[], reduction: Reduction): number {
  if (reduction === "token-mean")
    return parts.reduce((sum, { weights }) => sum + weights.length, 0);
  const lengths = parts.flatMap(({ items }) => items.map((item) => item.experience.trained.length));
  return lengths.filter((length) => length > 0).length;
}

/** Cuts a minibatch into micro-batches of at most `maxTokens`; the weights keep its denominator. */
export function cutMinibatch(
  items: readonly Item[],
  weights: Float64Array,
  { maxTokens, padId }: { maxTokens: number; padId: number },
): Part[] {
  const groups = microBatches(
    items.map(({ experience }) => experience),
    maxTokens,
  );
  let first = 0;
  let offset = 0;
  return groups.map((group) => {
    const layout = layoutSequences(group, { padId });
    const part = {
      items: items.slice(first, first + group.length),
      layout,
      weights: weights.slice(offset, offset + layout.rows.length),
    };
    first += group.length;
    offset += layout.rows.length;
    return part;
  });
}

/** `count` parts of nearly equal size, none empty. */
export function split<T>(items: readonly T[], count: number): T[][] {
  const parts = Math.min(count, items.length);
  return Array.from({ length: parts }, (_, i) =>
    items.slice(
      Math.floor((i * items.length) / parts),
      Math.floor(((i + 1) * items.length) / parts),
    ),
  );
}
