import { invalidField } from "@stagecraft/contracts";
import { MAX_PAGE_BYTES } from "./sizes.js";

const DEFAULT_PAGE_SIZE = 100;
const MAX_PAGE_SIZE = 1000;

/** One page of a list that only grows at its end; a token counts what came before the page. */
export interface Page<T> {
  items: T[];
  /** Where the next page starts, whether or not it holds something already. */
  nextPageToken: string;
  hasMore: boolean;
}

export interface PageRequest<T> {
  pageSize: number;
  pageToken: string;
  /** Bytes of one item; a page ends before they become too many for a message. */
  sizeOf(item: T): number;
}

/** The page that a request asks for. */
export function paginate<T>(
  all: readonly T[],
  { pageSize, pageToken, sizeOf }: PageRequest<T>,
): Page<T> {
  if (pageSize > MAX_PAGE_SIZE) {
    throw invalidField("page_size", pageSize, `at most ${MAX_PAGE_SIZE}`);
  }
  const start = pageToken === "" ? 0 : Number(pageToken);
  if (!/^\d*$/.test(pageToken) || start > all.length) {
    throw invalidField("page_token", pageToken, "from an answer");
  }
  const items = fitting(all.slice(start, start + (pageSize || DEFAULT_PAGE_SIZE)), sizeOf);
  const end = start + items.length;
  return { items, nextPageToken: String(end), hasMore: end < all.length };
}

function fitting<T>(items: T[], sizeOf: (item: T) => number): T[] {
  let bytes = 0;
  const over = items.findIndex((item, i) => (bytes += sizeOf(item)) > MAX_PAGE_BYTES && i > 0);
  return over === -1 ? items : items.slice(0, over);
}
