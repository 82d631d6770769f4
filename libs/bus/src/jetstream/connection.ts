import { accessSync, constants } from "node:fs";
import {
  connect,
  Events,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
  type Authenticator,
  type ConnectionOptions,
  type NatsConnection,
} from "nats";
import { liveText } from "@stagecraft/config";
import { StagecraftError } from "@stagecraft/core";
import type { Logger } from "@stagecraft/telemetry";
import { inboxPrefix } from "../nats-users.js";

export interface JetStreamOptions {
  /** `nats://host:port` or `tls://…`, one or several of a cluster. */
  servers: string | readonly string[];
  /** Shown by the server's monitoring. */
  name?: string;
  /** Its answers come to `_INBOX_<user>`, so that permissions can keep them from others. */
  user?: string;
  password?: string;
  token?: string;
  /** Files whose content counts instead, read at every connection. */
  passwordFile?: string;
  tokenFile?: string;
  /** PEM files, read at every connection; with them the connection must be TLS. */
  tls?: { caFile?: string; certFile?: string; keyFile?: string };
  /** Plaintext to an address other than loopback. */
  allowPlaintext?: boolean;
  /** How long the first connection may take; default 10 s. Later ones are retried for ever. */
  connectTimeoutMs?: number;
  /** Wait for the broker's answer per attempt; default 2 s. */
  requestTimeoutMs?: number;
}

export interface Connection {
  nc: NatsConnection;
  requestTimeoutMs: number;
  /** Undefined: the library's. */
  inboxPrefix: string | undefined;
  isConnected(): boolean;
  /** Resolves when connected, throws `unavailable` after the request timeout. */
  connected(): Promise<void>;
  /** Called after every reconnection; returns how to stop. */
  onReconnect(listener: () => void): () => void;
}

const FIRST_RETRY_MS = 100;

/**
 * Connects and stays connected: reconnects for ever, at 0.25 s plus up to 0.5 s of jitter. Throws
 * `unavailable` when the first connection fails within its time, at once when access is refused.
 */
export async function openConnection(
  options: JetStreamOptions,
  logger: Logger,
): Promise<Connection> {
  const nc = await firstConnection(connectionOptions(options), options, logger);
  const listeners = new Set<() => void>();
  const requestTimeoutMs = options.requestTimeoutMs ?? 2000;
  let up = true;
  void (async () => {
    for await (const { type, data } of nc.status()) {
      if (type === Events.Disconnect) {
        up = false;
        logger.warn({ server: data }, "bus: connection lost, reconnecting");
      } else if (type === Events.Reconnect) {
        up = true;
        logger.info({ server: data }, "bus: connected again");
        for (const listener of [...listeners]) listener();
      } else if (type === Events.Error) {
        logger.warn({ error: data }, "bus: the broker reported an error");
      }
    }
  })();
  return {
    nc,
    requestTimeoutMs,
    inboxPrefix: options.user === undefined ? undefined : inboxPrefix(options.user),
    isConnected: () => up,
    connected: () => (up ? Promise.resolve() : reconnection(listeners, requestTimeoutMs)),
    onReconnect: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** The client buffers without bound while disconnected, so nothing is sent then. */
function reconnection(listeners: Set<() => void>, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const up = () => {
      clearTimeout(timer);
      listeners.delete(up);
      resolve();
    };
    const timer = setTimeout(() => {
      listeners.delete(up);
      reject(new StagecraftError("unavailable", "the broker is not connected"));
    }, timeoutMs);
    listeners.add(up);
  });
}

async function firstConnection(
  settings: ConnectionOptions,
  { servers, connectTimeoutMs = 10_000 }: JetStreamOptions,
  logger: Logger,
): Promise<NatsConnection> {
  const endsAt = performance.now() + connectTimeoutMs;
  for (let isFirst = true; ; isFirst = false) {
    try {
      return await connect(settings);
    } catch (error) {
      const { code } = error as { code?: string };
      const refused = code === "AUTHORIZATION_VIOLATION" || code === "AUTHENTICATION_EXPIRED";
      if (!refused && performance.now() + FIRST_RETRY_MS < endsAt) {
        if (isFirst) logger.warn({ servers, connectTimeoutMs }, "bus: no broker yet, waiting");
        await new Promise((resolve) => setTimeout(resolve, FIRST_RETRY_MS));
        continue;
      }
      throw new StagecraftError(
        refused ? "unauthenticated" : "unavailable",
        refused
          ? `the broker at ${String(servers)} refuses these credentials`
          : `no broker answers at ${String(servers)} (${connectTimeoutMs} ms); is nats-server running?`,
        { cause: error },
      );
    }
  }
}

function connectionOptions(options: JetStreamOptions): ConnectionOptions {
  const { servers: given } = options;
  const servers = typeof given === "string" ? [given] : [...given];
  refusePlaintext(servers, options);
  const { name, user, tls } = options;
  const authenticator = authenticatorOf(options);
  return {
    servers,
    ...(name === undefined ? {} : { name }),
    ...(user === undefined ? {} : { inboxPrefix: inboxPrefix(user) }),
    ...(authenticator ? { authenticator } : {}),
    ...(tls === undefined ? {} : { tls: checkedTls(tls) }),
    timeout: 2000,
    reconnect: true,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitter: 500,
    reconnectJitterTLS: 500,
    ignoreAuthErrorAbort: true, // a rotated credential must not end a worker for good
    pingInterval: 5000,
    maxPingOut: 2,
    noAsyncTraces: true,
  };
}

/** Asked at every connection, so that a renewed password or token counts without a restart. */
function authenticatorOf(options: JetStreamOptions): Authenticator | undefined {
  const { user, password = "", token, passwordFile, tokenFile } = options;
  const now = (file: string | undefined, initial: string) =>
    file === undefined ? () => initial : liveText(file, initial);
  if (user !== undefined) return usernamePasswordAuthenticator(user, now(passwordFile, password));
  return token === undefined ? undefined : tokenAuthenticator(now(tokenFile, token));
}

/** The client reads them at every connection; checked here because it reports a missing one as "disconnected". */
function checkedTls(tls: NonNullable<JetStreamOptions["tls"]>) {
  for (const file of Object.values(tls)) {
    try {
      accessSync(file, constants.R_OK);
    } catch (cause) {
      throw new StagecraftError("not_found", `cannot read ${file}`, { cause, details: { file } });
    }
  }
  return { ...tls };
}

function refusePlaintext(servers: readonly string[], options: JetStreamOptions): void {
  if (options.tls || options.allowPlaintext) return;
  const open = servers.find((server) => !/^(nats:\/\/)?(127\.|localhost|\[::1\])/.test(server));
  if (open === undefined) return;
  throw new StagecraftError(
    "failed_precondition",
    `refusing to reach ${open} without TLS; configure tls, or allowPlaintext on a trusted network`,
  );
}
