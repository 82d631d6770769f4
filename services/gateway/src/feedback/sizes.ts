import { StagecraftError } from "@stagecraft/core";

const MIB = 1024 * 1024;

/** Of one piece of feedback as a message: an answer of this service holds it and more beside. */
export const MAX_FEEDBACK_BYTES = 2 * MIB;
/** Of one comparison: a ranking of it repeats its prompt and answers. */
export const MAX_COMPARISON_BYTES = MIB;
/** Of what one page holds, below the 4 MiB that a client takes; a page has at least one item. */
export const MAX_PAGE_BYTES = 3 * MIB;

/** Throws `invalid_argument` before anything is stored that could not be handed out again. */
export function checkSize(what: string, bytes: number, maxBytes: number): void {
  if (bytes <= maxBytes) return;
  throw new StagecraftError(
    "invalid_argument",
    `${what} has ${bytes} bytes, at most ${maxBytes} bytes are stored; shorten it, nothing was stored`,
  );
}
