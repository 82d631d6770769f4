import { StagecraftError } from "@stagecraft/core";
import { contextFromHeaders, type Logger } from "@stagecraft/telemetry";
import { createCancelling } from "./cancellation.js";
import type { CallContext } from "./context.js";
import type { CallOptions, ClientMethod, Handlers, RpcService } from "./types.js";

/** A service's methods as a client calls them. */
export type RpcMethods<S> = { readonly [K in keyof S]: ClientMethod<S[K]> };

/**
 * Calls the handlers of a service of this process as a client would call them over a connection, without
 * one: for programs that host a service and are its only caller. Deadlines and metadata stay behind;
 * cancellation and errors pass.
 */
export function callInProcess<S extends RpcService>(
  service: S,
  handlers: Handlers<S>,
  { logger }: { logger: Logger },
): RpcMethods<S> {
  const all = handlers as unknown as Record<
    string,
    (input: unknown, context: CallContext) => unknown
  >;
  const methods = Object.entries(service).map(([name, { path }]) => {
    const call = (input: unknown, options: CallOptions = {}) =>
      all[name]!(input, contextOf(path, options, logger));
    return [name, call] as const;
  });
  return Object.fromEntries(methods) as RpcMethods<S>;
}

const CALLER = { name: "in-process", roles: new Set(["admin"] as const) };

function contextOf(method: string, { signal, metadata }: CallOptions, logger: Logger): CallContext {
  const cancelling = createCancelling();
  const cancel = () =>
    cancelling.cancel(
      signal?.reason instanceof StagecraftError
        ? signal.reason
        : new StagecraftError("cancelled", `${method}: the caller cancelled`),
    );
  if (signal?.aborted) cancel();
  else signal?.addEventListener("abort", cancel, { once: true });
  return {
    cancellation: cancelling,
    get signal() {
      return cancelling.signal;
    },
    deadline: Infinity,
    method,
    peer: "in-process",
    identity: undefined,
    caller: CALLER,
    metadata: (name) => metadata?.[name],
    logger,
    trace: contextFromHeaders({}),
  };
}
