import { connect, createServer, type AddressInfo } from "node:net";
import { health } from "@stagecraft/contracts";
import { ALIVE, createRpcClient } from "@stagecraft/rpc";

/** Whether something serves; kept connected between questions. */
export interface Probe {
  ask(timeoutMs: number): Promise<boolean>;
  close(): void;
}

/**
 * grpc.health.v1, whether the process is worth keeping; why one that is alive does not serve, the status
 * says.
 */
export function grpcProbe(port: number): Probe {
  const client = createRpcClient({ service: health.HealthService }, `127.0.0.1:${port}`);
  return {
    async ask(timeoutMs) {
      const answer = await client.check({ service: ALIVE }, { timeoutMs }).catch(() => undefined);
      return answer?.status === health.HealthCheckResponse_ServingStatus.SERVING;
    },
    close: () => client.close(),
  };
}

/** A greeting: nats-server listens when JetStream is ready. */
export function natsProbe(port: number): Probe {
  const ask = (timeoutMs: number) =>
    new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1").setTimeout(timeoutMs);
      const end = (answered: boolean) => () => {
        socket.destroy();
        resolve(answered);
      };
      socket.once("data", end(true));
      socket.once("error", end(false)).once("timeout", end(false)).once("end", end(false));
    });
  return { ask, close: () => undefined };
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
