import { connect, createServer, type AddressInfo, type Socket } from "node:net";

/** A TCP proxy that misbehaves on request. */
export interface FaultProxy extends AsyncDisposable {
  readonly port: number;
  /** Resets every connection now; new ones are accepted. */
  cut(): void;
  /** Holds all bytes both ways, as a partition does; connections stay open. */
  stall(): void;
  /** Lets bytes flow again, held ones first. */
  flow(): void;
  /** Connections open now. */
  numConnections(): number;
}

/** Listens on a free loopback port and forwards to `targetPort` on 127.0.0.1. */
export async function createFaultProxy(targetPort: number): Promise<FaultProxy> {
  const pairs = new Set<readonly [Socket, Socket]>();
  let stalled = false;
  const server = createServer((near) => {
    const far = connect(targetPort, "127.0.0.1");
    const pair = [near, far] as const;
    pairs.add(pair);
    for (const [from, to] of [pair, [far, near] as const]) {
      from.pipe(to);
      from.on("error", () => to.destroy());
      from.on("close", () => {
        to.destroy();
        pairs.delete(pair);
      });
      if (stalled) from.unpipe(to).pause();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const cut = () => {
    for (const [near, far] of pairs) {
      near.resetAndDestroy();
      far.destroy();
    }
  };
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    stall() {
      stalled = true;
      for (const [near, far] of pairs) {
        near.unpipe(far).pause();
        far.unpipe(near).pause();
      }
    },
    flow() {
      stalled = false;
      for (const [near, far] of pairs) {
        near.pipe(far);
        far.pipe(near);
      }
    },
    numConnections: () => pairs.size,
    async [Symbol.asyncDispose]() {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
