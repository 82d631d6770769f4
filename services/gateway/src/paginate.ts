import { invalidField } from "@stagecraft/contracts";

const DEFAULT_PAGE_SIZE = 100;
const MAX_PAGE_SIZE = 1000;

/** One page of a list that only grows at its end; a token counts what came before the page. */
export interface Page<T> {
  items: T[];
  /** Where the next page starts, whether or not it holds something already. */
  nextPageToken: string;
  hasMore: boolean;
}

/** The page that a request asks for. */
export function paginate<T>(
  all: readonly T[],
  { pageSize, pageToken }: { pageSize: number; pageToken: string },
): Page<T> {
  if (pageSize > MAX_PAGE_SIZE) {
    throw invalidField("page_size", pageSize, `at most ${MAX_PAGE_SIZE}`);
  }
  const start = pageToken === "" ? 0 : Number(pageToken);
  if (!/^\d*$/.test(pageToken) || start > all.length) {
    throw invalidField("page_token", pageToken, "from an answer");
  }
  const items = all.slice(start, start + (pageSize || DEFAULT_PAGE_SIZE));
  const end = start + items.length;
  return { items, nextPageToken: String(end), hasMore: end < all.length };
}
