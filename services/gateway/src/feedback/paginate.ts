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

export interface PageRequest {
  /** 0 means 100, the most is 1000. */
  pageSize: number;
  pageToken: string;
}

/** Rows in the order of their positions, which count from 1 without a gap. */
export interface PositionedRows<T> {
  /** Rows that there are by now, those left out too. */
  numRows: number;
  /** The first of those after `after`, up to `numRows`, that are listed; at most so many. */
  sizes(after: number, limit: number): Promise<{ position: number; bytes: number }[]>;
  read(positions: readonly number[]): Promise<T[]>;
}

/** The page that a request asks for; it ends before it becomes too large for a message. */
export async function paginate<T>(
  { numRows, sizes, read }: PositionedRows<T>,
  { pageSize, pageToken }: PageRequest,
): Promise<Page<T>> {
  if (pageSize > MAX_PAGE_SIZE) {
    throw invalidField("page_size", pageSize, `at most ${MAX_PAGE_SIZE}`);
  }
  const after = pageToken === "" ? 0 : Number(pageToken);
  if (!/^\d*$/.test(pageToken) || after > numRows) {
    throw invalidField("page_token", pageToken, "from an answer");
  }
  const limit = pageSize || DEFAULT_PAGE_SIZE;
  const found = await sizes(after, limit + 1);
  const positions = fitting(found.slice(0, limit)).map(({ position }) => position);
  const hasMore = positions.length < found.length;
  return {
    items: positions.length === 0 ? [] : await read(positions),
    nextPageToken: String(hasMore ? positions.at(-1) : numRows),
    hasMore,
  };
}

function fitting<T extends { bytes: number }>(rows: T[]): T[] {
  let sum = 0;
  const over = rows.findIndex(({ bytes }, i) => (sum += bytes) > MAX_PAGE_BYTES && i > 0);
  return over === -1 ? rows : rows.slice(0, over);
}
