/** The next power of two, but no more than `most`: sizes that few programs serve. */
export function roundUp(count: number, most = Infinity): number {
  return Math.min(2 ** Math.ceil(Math.log2(count)), most);
}
