import type { ChannelOptions } from "@grpc/grpc-js";
import { StagecraftError } from "@stagecraft/core";
import type { ConnectionLimits } from "./connections.js";
import type { WaitingLimits } from "./waiting-calls.js";

/** Bounds of a server; each refuses with RESOURCE_EXHAUSTED instead of growing. */
export interface RpcLimits {
  /** Largest request message after decompression; default 4 MiB. */
  maxReceiveBytes?: number;
  /** Largest response message; default 4 MiB. */
  maxSendBytes?: number;
  /** Calls in flight per method; default 256. */
  maxConcurrentCalls?: number;
  /** The same for single methods, by full path (`/stagecraft.policy.v1.PolicyService/Generate`). */
  maxConcurrentCallsByMethod?: Readonly<Record<string, number>>;
  /** How long a request may take to arrive; default 20 s. */
  receiveTimeoutMs?: number;
  /** How long a stream's caller may be silent while no answer is owed to it, and any caller may take nothing of his, a second where somebody else needs the place; default 60 s. */
  streamIdleMs?: number;
  /** Connections from one address; a further one takes the place of an idle one. Default 256. */
  maxConnectionsPerPeer?: number;
  /** Connections in all; default 4096. */
  maxConnections?: number;
  /** Streams per connection; default 1024. */
  maxStreamsPerConnection?: number;
  /**
   * Connections are closed in good order at this age (± 10 %), so that clients look names up anew and
   * find added servers; default 90 s.
   */
  maxConnectionAgeMs?: number;
  /** What calls then have to finish; default 30 s. Longer streams need more. */
  maxConnectionAgeGraceMs?: number;
}

const MIB = 1024 * 1024;

/** Limits with defaults, in grpc-js's terms. Throws `invalid_argument` for anything below 1. */
export function compileLimits(limits: RpcLimits = {}): {
  channelOptions: ChannelOptions;
  maxConcurrent: (method: string) => number;
  waiting: WaitingLimits;
  connections: ConnectionLimits;
} {
  const byMethod = limits.maxConcurrentCallsByMethod ?? {};
  const { maxConcurrentCallsByMethod: _, ...numbers } = limits;
  for (const [name, value] of Object.entries({ ...numbers, ...byMethod })) {
    if (value === undefined || value >= 1) continue;
    throw new StagecraftError("invalid_argument", `limits.${name} is ${value}, needs at least 1`);
  }
  return {
    channelOptions: {
      "grpc.max_receive_message_length": limits.maxReceiveBytes ?? 4 * MIB,
      "grpc.max_send_message_length": limits.maxSendBytes ?? 4 * MIB,
      "grpc.max_concurrent_streams": limits.maxStreamsPerConnection ?? 1024,
      "grpc.max_connection_age_ms": limits.maxConnectionAgeMs ?? 90_000,
      "grpc.max_connection_age_grace_ms": limits.maxConnectionAgeGraceMs ?? 30_000,
      "grpc.keepalive_time_ms": 30_000,
      "grpc.keepalive_timeout_ms": 10_000,
    },
    waiting: {
      receiveTimeoutMs: limits.receiveTimeoutMs ?? 20_000,
      streamIdleMs: limits.streamIdleMs ?? 60_000,
    },
    connections: {
      maxConnectionsPerPeer: limits.maxConnectionsPerPeer ?? 256,
      maxConnections: limits.maxConnections ?? 4096,
    },
    maxConcurrent: (method) => byMethod[method] ?? limits.maxConcurrentCalls ?? 256,
  };
}
