/**
 * A folder of the cache of models has its content in its name, `NAME-` and 16 hex digits (libs/model-store): the same
 * model, wherever the cache is. So neither a run nor its resumption depends on that place; that the files in it are
 * the same is looked at all the same, by their hashes.
 */
const CACHED = /[^="]*\/([^/="]*-[0-9a-f]{16})(?=$|[/"])/g;

/** A path, or JSON with paths in it, without the place of the cache. */
export function withoutCachePlace(text: string): string {
  return text.replace(CACHED, "$1");
}
