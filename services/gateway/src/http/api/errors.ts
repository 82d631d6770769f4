/** What went wrong; the codes are those of the whole product. */
export type ApiErrorCode =
  | "cancelled" // 499
  | "invalid_argument" // 400
  | "deadline_exceeded" // 504
  | "not_found" // 404
  | "already_exists" // 409
  | "permission_denied" // 403; a wrong or missing CSRF token too
  | "resource_exhausted" // 429, 413 for bodies
  | "failed_precondition" // 409
  | "aborted" // 409: somebody else was faster, load again
  | "unimplemented" // 501
  | "internal" // 500
  | "unavailable" // 503: try again later
  | "data_loss" // 500
  | "unauthenticated"; // 401: sign in

/** Body of every answer with a status of 400 or more. */
export interface ApiFailure {
  error: {
    code: ApiErrorCode;
    /** What is wrong, for people. */
    message: string;
    /** What to do about it, for people; empty if there is nothing. */
    advice: string;
    /** The field of the request that is wrong, such as `ranks[2]`. */
    field?: string;
  };
}
