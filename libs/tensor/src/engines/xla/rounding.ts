/** The next power of two, but no more than `most`: sizes that few programs serve. */
export function roundUp(count: number, most = Infinity): number {
  return Math.min(2 ** Math.ceil(Math.log2(count)), most);
}

/** The next power of four, but no more than `most`: for what costs little where it is not used. */
export function roundUpFar(count: number, most: number): number {
  return Math.min(4 ** Math.ceil(Math.log2(count) / 2), most);
}

/**
 * The next of 1, 2, 3, 4, 6, 8, 12, 16, 24, …: a program is compiled for each size, and a third more
 * work at most costs less than another program.
 */
export function paddedSize(size: number): number {
  const power = roundUp(Math.max(1, size));
  return size <= 0.75 * power && power > 2 ? 0.75 * power : power;
}
