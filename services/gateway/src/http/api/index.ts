/**
 * The JSON API of the pages, as types only: nothing here runs, so pages may import it.
 *
 * Everything is under `/api`, JSON both ways, times as ISO 8601, signed in by cookie. A request that
 * changes something carries the header `x-csrf-token` with the token of `Session`. Repeats: whoever
 * submits something chooses a `submissionId` (a UUID) and uses it again when he tries again; it counts
 * once. What fails answers with `ApiFailure` and a fitting HTTP status.
 */
export type * from "./breaking.js";
export type * from "./chat.js";
export type * from "./errors.js";
export type * from "./flag.js";
export type * from "./loop.js";
export type * from "./operator.js";
export type * from "./people.js";
export type * from "./rank.js";
export type * from "./registry.js";
export type * from "./runs.js";
export type * from "./session.js";
export type * from "./streams.js";
export type * from "./turns.js";
export type * from "./write.js";
