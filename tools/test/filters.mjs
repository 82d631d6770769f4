/**
 * The names of files among vitest's arguments, as vitest itself reads them: the value of an option is none, such as
 * that of `-t NAME`.
 * @param {readonly string[]} args
 * @returns {Promise<string[]>}
 */
export async function filtersOf(args) {
  const { parseCLI } = await import("vitest/node"); // when packages may not have been there before
  return parseCLI(["vitest", "run", ...args]).filter;
}
