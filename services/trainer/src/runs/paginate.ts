import { invalidField } from "@stagecraft/contracts";

const DEFAULT_PAGE_SIZE = 100;
const MAX_PAGE_SIZE = 1000;

/** Bytes of a page; an answer may have 4 MiB. */
const PAGE_BYTES = 1024 * 1024;

/**
 * One page of runs: as many as were asked for, or as fit. A token is the id after which the page starts,
 * so that new runs do not shift it.
 */
export function paginate<T extends { runId: string }>(
  all: readonly T[],
  {
    pageSize,
    pageToken,
    sizeOf,
  }: { pageSize: number; pageToken: string; sizeOf: (item: T) => number },
): { items: T[]; nextPageToken: string } {
  if (pageSize > MAX_PAGE_SIZE)
    throw invalidField("page_size", pageSize, `at most ${MAX_PAGE_SIZE}`);
  const size = pageSize || DEFAULT_PAGE_SIZE;
  const start = pageToken === "" ? 0 : all.findIndex((run) => run.runId === pageToken) + 1;
  if (pageToken !== "" && start === 0)
    throw invalidField("page_token", pageToken, "from an answer");
  const items: T[] = [];
  let bytes = 0;
  for (const item of all.slice(start, start + size)) {
    bytes += sizeOf(item);
    if (bytes > PAGE_BYTES && items.length > 0) break;
    items.push(item);
  }
  const last = items.at(-1);
  return { items, nextPageToken: last && start + items.length < all.length ? last.runId : "" };
}
