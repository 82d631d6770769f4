import { invalidField } from "@stagecraft/contracts";

const DEFAULT_PAGE_SIZE = 100;
const MAX_PAGE_SIZE = 1000;

/** One page of runs. A token is the id after which the page starts, so that new runs do not shift it. */
export function paginate<T extends { runId: string }>(
  all: readonly T[],
  { pageSize, pageToken }: { pageSize: number; pageToken: string },
): { items: T[]; nextPageToken: string } {
  if (pageSize > MAX_PAGE_SIZE)
    throw invalidField("page_size", pageSize, `at most ${MAX_PAGE_SIZE}`);
  const size = pageSize || DEFAULT_PAGE_SIZE;
  const start = pageToken === "" ? 0 : all.findIndex((run) => run.runId === pageToken) + 1;
  if (pageToken !== "" && start === 0)
    throw invalidField("page_token", pageToken, "from an answer");
  const items = all.slice(start, start + size);
  const last = items.at(-1);
  return { items, nextPageToken: last && start + size < all.length ? last.runId : "" };
}
