import type { ClientTls } from "@stagecraft/rpc";

/** How to reach a server. */
export interface ConnectOptions {
  /** Authority and, for mutual TLS, the own certificate; absent = plaintext, on loopback only. */
  tls?: ClientTls | undefined;
  /** Bearer token, or what gives the current one. */
  token?: string | (() => string) | undefined;
  /** Plaintext beyond loopback. */
  allowPlaintext?: boolean;
  /** Deadline of a call in ms, retries included; default 30,000. */
  timeoutMs?: number;
}
