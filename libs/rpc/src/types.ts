import type { MethodDefinition, ServiceDefinition } from "@grpc/grpc-js";
import type { CallContext } from "./context.js";

/** A service as ts-proto writes it (`PolicyServiceService`): method name → paths and codecs. */
export type RpcService = ServiceDefinition;

// The generated literals `requestStream: false as const` choose the shape below. `any` is needed on
// the side that is not inferred: codecs are contravariant in their input.
/* eslint-disable @typescript-eslint/no-explicit-any */
type RequestOf<M> = M extends { requestDeserialize: (bytes: Buffer) => infer R } ? R : never;
type ResponseOf<M> = M extends { responseDeserialize: (bytes: Buffer) => infer R } ? R : never;
export type AnyMethod = MethodDefinition<any, any>;
/* eslint-enable @typescript-eslint/no-explicit-any */

type MethodShape<M> = M extends { requestStream: false; responseStream: false }
  ? "unary"
  : M extends { requestStream: false; responseStream: true }
    ? "serverStream"
    : M extends { requestStream: true; responseStream: false }
      ? "clientStream"
      : "bidi";

/**
 * What a service implements per method: async functions for unary, async generators for streams.
 * Throw StagecraftError for a status; anything else thrown becomes INTERNAL without its text.
 */
export type Handler<M> = {
  unary: (request: RequestOf<M>, context: CallContext) => Promise<ResponseOf<M>> | ResponseOf<M>;
  serverStream: (request: RequestOf<M>, context: CallContext) => AsyncIterable<ResponseOf<M>>;
  clientStream: (
    requests: AsyncIterable<RequestOf<M>>,
    context: CallContext,
  ) => Promise<ResponseOf<M>>;
  bidi: (
    requests: AsyncIterable<RequestOf<M>>,
    context: CallContext,
  ) => AsyncIterable<ResponseOf<M>>;
}[MethodShape<M>];

export type Handlers<S> = { readonly [K in keyof S]: Handler<S[K]> };

/** What a client calls per method: promises for unary, async iterables for streams. */
export type ClientMethod<M> = {
  unary: (request: RequestOf<M>, options?: CallOptions) => Promise<ResponseOf<M>>;
  serverStream: (request: RequestOf<M>, options?: CallOptions) => AsyncIterable<ResponseOf<M>>;
  clientStream: (
    requests: AsyncIterable<RequestOf<M>>,
    options?: CallOptions,
  ) => Promise<ResponseOf<M>>;
  bidi: (
    requests: AsyncIterable<RequestOf<M>>,
    options?: CallOptions,
  ) => AsyncIterable<ResponseOf<M>>;
}[MethodShape<M>];

export interface CallOptions {
  /** Time for the whole call, retries and streaming included; default the client's. */
  timeoutMs?: number;
  /** Cancels the call, at the server too. */
  signal?: AbortSignal;
  /** The incoming call this one serves: its deadline, cancellation and trace pass on. */
  parent?: CallParent;
  /** Safe to repeat; default whether the client's `idempotent` names the method. */
  idempotent?: boolean;
  /** Wait for a connection until the deadline instead of failing at once; default the client's. */
  waitForReady?: boolean;
  /** Extra metadata, lower-case names. */
  metadata?: Readonly<Record<string, string>>;
}

/** The part of a CallContext that passes on to calls made while serving it. */
export type CallParent = Pick<CallContext, "signal" | "deadline" | "trace">;
