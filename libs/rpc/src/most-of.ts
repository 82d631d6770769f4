/** Of whoever has most in a set the first, which has stood there longest; undefined of an empty one. */
export function mostOf<T>(set: ReadonlySet<T>, whose: (each: T) => string): T | undefined {
  const counts = new Map<string, number>();
  for (const each of set) counts.set(whose(each), (counts.get(whose(each)) ?? 0) + 1);
  const most = Math.max(0, ...counts.values());
  for (const each of set) if (counts.get(whose(each)) === most) return each;
  return undefined;
}
