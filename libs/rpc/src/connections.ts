import type { Http2Server, ServerHttp2Session } from "node:http2";
import type { Logger } from "@stagecraft/telemetry";

export interface ConnectionLimits {
  maxConnectionsPerPeer: number;
  maxConnections: number;
}

interface Connection {
  session: ServerHttp2Session;
  numOpen: number;
  wasUsed: boolean;
}

/**
 * Beyond the limit for its address a new connection takes the place of an idle one: first of one that
 * never carried a call. So one address cannot take them all, nor keep itself out by what it left open.
 */
export function limitConnections(
  server: Http2Server,
  { maxConnections, maxConnectionsPerPeer }: ConnectionLimits,
  logger: Logger,
): void {
  const peers = new Map<string, Set<Connection>>();
  server.maxConnections = maxConnections;
  server.on("session", (session: ServerHttp2Session) => {
    const peer = session.socket.remoteAddress ?? "";
    const connections = peers.get(peer) ?? new Set<Connection>();
    peers.set(peer, connections);
    if (connections.size >= maxConnectionsPerPeer) {
      logger.warn({ peer, maxConnectionsPerPeer }, "too many connections from one address");
      const idle = idleOf(connections);
      if (!idle) return session.destroy();
      connections.delete(idle);
      idle.session.close();
      if (!idle.wasUsed) idle.session.destroy();
    }
    const connection = { session, numOpen: 0, wasUsed: false };
    connections.add(connection);
    session.on("stream", (stream) => {
      connection.wasUsed = true;
      connection.numOpen++;
      stream.once("close", () => connection.numOpen--);
    });
    session.once("close", () => {
      connections.delete(connection);
      if (connections.size === 0) peers.delete(peer);
    });
  });
}

/** The oldest that carries no call, if possible one that never did. */
function idleOf(connections: ReadonlySet<Connection>): Connection | undefined {
  const idle = [...connections].filter(({ numOpen }) => numOpen === 0);
  return idle.find(({ wasUsed }) => !wasUsed) ?? idle[0];
}
