import { once } from "node:events";
import type {
  Client,
  ClientDuplexStream,
  ClientReadableStream,
  ClientUnaryCall,
  ClientWritableStream,
  Metadata,
  ServiceError,
} from "@grpc/grpc-js";
import { StagecraftError } from "@stagecraft/core";
import { errorFromStatus } from "./status.js";
import type { AnyMethod } from "./types.js";

/** One attempt's environment. */
export interface AttemptContext {
  client: Client;
  method: AnyMethod;
  metadata: Metadata;
  /** Milliseconds since the epoch. */
  deadline: number;
  signal: AbortSignal | undefined;
}

/** Rejects with a StagecraftError; so do all four below. */
export function startUnary(context: AttemptContext, request: unknown): Promise<unknown> {
  const { client, method, metadata, deadline } = context;
  return settle(context, (callback) =>
    client.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
      metadata,
      { deadline },
      callback,
    ),
  );
}

export function startClientStream(
  context: AttemptContext,
  requests: AsyncIterable<unknown>,
): Promise<unknown> {
  const { client, method, metadata, deadline } = context;
  let failure: Error | undefined;
  const response = settle(context, (callback) => {
    const call = client.makeClientStreamRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      metadata,
      { deadline },
      callback,
    );
    void sendAll(call, requests).catch((error: unknown) => {
      failure = error instanceof Error ? error : new Error(String(error));
      call.cancel();
    });
    return call;
  });
  return response.catch((error: unknown) => {
    throw failure ?? error;
  });
}

export function startServerStream(
  context: AttemptContext,
  request: unknown,
): AsyncIterable<unknown> {
  const { client, method, metadata, deadline } = context;
  const call = client.makeServerStreamRequest(
    method.path,
    method.requestSerialize,
    method.responseDeserialize,
    request,
    metadata,
    { deadline },
  );
  return receiveAll(context, call, () => undefined);
}

export function startBidi(
  context: AttemptContext,
  requests: AsyncIterable<unknown>,
): AsyncIterable<unknown> {
  const { client, method, metadata, deadline } = context;
  const call = client.makeBidiStreamRequest(
    method.path,
    method.requestSerialize,
    method.responseDeserialize,
    metadata,
    { deadline },
  ) as ClientDuplexStream<unknown, unknown>;
  let failure: Error | undefined;
  void sendAll(call, requests).catch((error: unknown) => {
    failure = error instanceof Error ? error : new Error(String(error));
    call.cancel();
  });
  return receiveAll(context, call, () => failure);
}

function settle(
  { method, signal }: AttemptContext,
  start: (callback: (error: ServiceError | null, value?: unknown) => void) => ClientUnaryCall,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const call = start((error, value) => {
      signal?.removeEventListener("abort", cancel);
      if (error === null) resolve(value);
      else reject(failureOf(error, method.path, signal));
    });
    const cancel = () => call.cancel();
    signal?.addEventListener("abort", cancel, { once: true });
  });
}

async function* receiveAll(
  { method, signal }: AttemptContext,
  call: ClientReadableStream<unknown>,
  ownFailure: () => Error | undefined,
): AsyncGenerator {
  const cancel = () => call.cancel();
  signal?.addEventListener("abort", cancel, { once: true });
  try {
    // Not destroyed when read to the end: requests may still flow on a bidirectional call.
    for await (const response of call.iterator({ destroyOnReturn: false })) yield response;
  } catch (error) {
    throw ownFailure() ?? failureOf(error as ServiceError, method.path, signal);
  } finally {
    signal?.removeEventListener("abort", cancel);
    call.on("error", () => undefined); // the cancellation's own echo when the reader left early
    call.cancel();
  }
}

/** Writes at the pace of the connection; stops when the call has ended under it. */
async function sendAll(
  call: ClientWritableStream<unknown>,
  requests: AsyncIterable<unknown>,
): Promise<void> {
  const ended = new AbortController();
  const end = () => ended.abort();
  call.once("status", end);
  call.once("error", end);
  for await (const request of requests) {
    if (ended.signal.aborted) return;
    if (call.write(request)) continue;
    await once(call, "drain", { signal: ended.signal }).catch((error: unknown) => {
      if (!ended.signal.aborted) throw error;
    });
  }
  if (!ended.signal.aborted) call.end();
}

function failureOf(
  error: ServiceError,
  method: string,
  signal: AbortSignal | undefined,
): StagecraftError {
  if (signal?.aborted && signal.reason instanceof StagecraftError) return signal.reason;
  return errorFromStatus(error, method, signal?.aborted === true);
}
