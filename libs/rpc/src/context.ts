import type { Logger, TraceContext } from "@stagecraft/telemetry";
import type { Caller } from "./callers.js";
import type { Cancellation } from "./cancellation.js";

/** What a handler knows about the call it serves. */
export interface CallContext {
  /**
   * Fires when the client went away or cancelled (`[cancelled]`), at the deadline
   * (`[deadline_exceeded]`), and when the server is forced down. Pass it to everything slow.
   */
  readonly signal: AbortSignal;
  /** The same news at a tenth of the price, for handlers of many short calls. */
  readonly cancellation: Cancellation;
  /** Milliseconds since the epoch; Infinity when the caller set none. */
  readonly deadline: number;
  /** Full path, `/stagecraft.policy.v1.PolicyService/Generate`. */
  readonly method: string;
  readonly peer: string;
  /** Common name of the client certificate under mTLS. */
  readonly identity: string | undefined;
  readonly caller: Caller;
  /** One metadata value as text; undefined when absent. */
  metadata(name: string): string | undefined;
  /** Bound with the method, the call id, and the run and task the call is for if it says so. */
  readonly logger: Logger;
  readonly trace: TraceContext;
}
