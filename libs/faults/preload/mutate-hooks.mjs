/** @type {{ file: string, find: string, replace: string }[]} */
let mutations = [];

/** @param {typeof mutations} given */
export function initialize(given) {
  mutations = given;
}

/**
 * Fails when the text is not there: a control that changes nothing would prove nothing.
 * @type {import("node:module").LoadHook}
 */
export async function load(url, context, nextLoad) {
  const result = await nextLoad(url, context);
  const wanted = mutations.filter(({ file }) => url.endsWith(file));
  if (wanted.length === 0) return result;
  let source = String(result.source);
  for (const { file, find, replace } of wanted) {
    if (!source.includes(find)) throw new Error(`control: ${file} has no ${JSON.stringify(find)}`);
    source = source.replaceAll(find, replace);
  }
  return { ...result, source };
}
