import type { Random } from "@stagecraft/core";

/** Items `first … first + count`, each to be seen `weight` times an epoch. */
export interface ItemGroup {
  first: number;
  count: number;
  weight: number;
}

/**
 * The items of one epoch: whole repetitions of each group, and for the fractional part of its weight
 * a random choice of the items without repetition. Shuffled when asked; else in order.
 */
export function weightedOrder(
  groups: readonly ItemGroup[],
  random: Random,
  shuffle: boolean,
): Int32Array {
  const parts = groups.map(({ first, count, weight }) => {
    const all = Int32Array.from({ length: count }, (_, i) => first + i);
    const whole = Math.floor(weight);
    const extra = Math.round((weight - whole) * count);
    const chosen = extra > 0 ? random.shuffle(all.slice()).subarray(0, extra).sort() : [];
    return [...Array.from({ length: whole }, () => all), chosen];
  });
  const lists = parts.flat();
  const order = new Int32Array(lists.reduce((sum, list) => sum + list.length, 0));
  let end = 0;
  for (const list of lists) {
    order.set(list, end);
    end += list.length;
  }
  return shuffle ? random.shuffle(order) : order;
}
