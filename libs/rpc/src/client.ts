import { Client, connectivityState, type ChannelOptions } from "@grpc/grpc-js";
import { StagecraftError } from "@stagecraft/core";
import { METRICS, type Metrics } from "@stagecraft/telemetry";
import { isLoopbackTarget, targetOf } from "./address.js";
import { createCaller, type CallDefaults } from "./calls.js";
import { clientCredentials, type ClientTls } from "./credentials.js";
import { registerFileResolver } from "./file-resolver.js";
import { registerNameResolver } from "./name-resolver.js";
import { LOOPBACK_ONLY } from "./polled-resolver.js";
import { createRetryThrottle, DEFAULT_RETRY, type RetryPolicy } from "./retry.js";
import type { ClientMethod, RpcService } from "./types.js";

export interface RpcClientOptions<S> {
  /** Time for a call that names none, retries included; default 30 s. There is no "for ever". */
  timeoutMs?: number;
  /** Methods safe to repeat after UNAVAILABLE, or `"all"`; default none. */
  idempotent?: readonly (keyof S & string)[] | "all";
  retry?: Partial<RetryPolicy>;
  /** Wait for a connection until the deadline instead of failing at once; default false. */
  waitForReady?: boolean;
  tls?: ClientTls | undefined;
  /** Bearer token, or who knows it now; sent over TLS or loopback only, unless allowPlaintext. */
  token?: string | (() => string) | undefined;
  /** Plaintext to an address other than loopback. */
  allowPlaintext?: boolean;
  /** Largest response message; default 4 MiB. */
  maxReceiveBytes?: number;
  /** Largest request message; default 4 MiB. */
  maxSendBytes?: number;
  /**
   * A connection with calls in flight that has brought nothing for this long, not even the answer to a
   * ping, is given up, and what is safe to repeat goes to another server. Default 12 s; 40 s on
   * loopback, where no machine is lost but a busy one is slow.
   */
  maxSilenceMs?: number;
  metrics?: Metrics;
}

/** One function per method of the service, over shared connections to every address of the target. */
export type RpcClient<S> = { readonly [K in keyof S]: ClientMethod<S[K]> } & RpcClientControl;

export interface RpcClientControl extends AsyncDisposable {
  /** Connects; throws `unavailable` when no server answers within the time. */
  waitForReady(timeoutMs: number): Promise<void>;
  /** Whether a connection stands now. */
  isConnected(): boolean;
  /** Fails calls in flight. */
  close(): void;
}

/**
 * A client for a ts-proto client class or anything else with a `service` definition. Calls are spread
 * over all addresses of the target in turn; connecting starts with the first call.
 */
export function createRpcClient<S extends RpcService>(
  definition: { readonly service: S },
  address: string,
  options: RpcClientOptions<S> = {},
): RpcClient<S> {
  const target = targetOf(address);
  registerFileResolver();
  registerNameResolver();
  const credentials = clientCredentials({ ...options, target });
  const client = new Client(target, credentials, channelOptions(options, target));
  const call = createCaller(client, defaultsOf(options));
  const methods = Object.entries(definition.service).map(([name, method]) => {
    const idempotent = options.idempotent === "all" || options.idempotent?.includes(name) === true;
    return [name, call(method, idempotent)] as const;
  });
  const control: RpcClientControl = {
    waitForReady: (timeoutMs) => waitForReady(client, address, timeoutMs),
    isConnected: () => client.getChannel().getConnectivityState(false) === connectivityState.READY,
    close: () => client.close(),
    [Symbol.asyncDispose]: () => {
      client.close();
      return Promise.resolve();
    },
  };
  return { ...Object.fromEntries(methods), ...control } as RpcClient<S>;
}

function defaultsOf<S>(options: RpcClientOptions<S>): CallDefaults {
  const calls = options.metrics?.counter(METRICS.rpcClientCalls);
  const retries = options.metrics?.counter(METRICS.rpcClientRetries);
  const retry = { ...DEFAULT_RETRY, ...options.retry };
  const timeoutMs = options.timeoutMs ?? 30_000;
  if (!(timeoutMs > 0 && Number.isFinite(timeoutMs)) || retry.maxAttempts < 1) {
    throw new StagecraftError(
      "invalid_argument",
      `timeoutMs is ${timeoutMs} and retry.maxAttempts ${retry.maxAttempts}; both must be above 0`,
    );
  }
  return {
    timeoutMs,
    retry,
    throttle: createRetryThrottle(),
    waitForReady: options.waitForReady ?? false,
    token: options.token,
    onFinished: (method, code) => calls?.add({ method, code }),
    onRetry: (method) => retries?.add({ method }),
  };
}

/** Timers of more fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

function channelOptions<S>(options: RpcClientOptions<S>, target: string): ChannelOptions {
  const serverName = options.tls?.serverName;
  const maxSilenceMs = options.maxSilenceMs ?? (isLoopbackTarget(target) ? 40_000 : 12_000);
  if (!Number.isInteger(maxSilenceMs) || maxSilenceMs < 2 || maxSilenceMs > MAX_TIMER_MS) {
    throw new StagecraftError(
      "invalid_argument",
      `maxSilenceMs is ${maxSilenceMs}; it must be a whole number of milliseconds from 2 to ${MAX_TIMER_MS}`,
    );
  }
  const pingMs = Math.ceil(maxSilenceMs / 2);
  return {
    "grpc.max_receive_message_length": options.maxReceiveBytes ?? 4 * 1024 * 1024,
    "grpc.max_send_message_length": options.maxSendBytes ?? 4 * 1024 * 1024,
    "grpc.keepalive_time_ms": pingMs,
    "grpc.keepalive_timeout_ms": pingMs,
    "grpc.service_config": JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
    "grpc.service_config_disable_resolution": 1, // no policy from DNS TXT records
    "grpc.enable_retries": 0, // ours know which methods are idempotent
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 2000,
    "grpc.use_local_subchannel_pool": 1, // closing one client must not touch another's connections
    ...(isLoopbackTarget(target) ? { "grpc.enable_http_proxy": 0 } : {}),
    ...(options.tls || options.allowPlaintext ? {} : { [LOOPBACK_ONLY]: 1 }),
    ...(serverName === undefined
      ? {}
      : { "grpc.ssl_target_name_override": serverName, "grpc.default_authority": serverName }),
  };
}

function waitForReady(client: Client, address: string, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    client.waitForReady(Date.now() + timeoutMs, (error) => {
      if (!error) return resolve();
      reject(
        new StagecraftError("unavailable", `no server answers at ${address} (${timeoutMs} ms)`, {
          cause: error,
        }),
      );
    });
  });
}
