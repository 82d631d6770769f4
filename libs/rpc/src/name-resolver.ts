import dns from "node:dns";
import { experimental, type ChannelOptions } from "@grpc/grpc-js";
import { PolledResolver } from "./polled-resolver.js";

/** How often a name is looked up again: lost and added servers are noticed within this. */
const POLL_MS = 2000;

let registered = false;

/** Makes gRPC understand `name:///host:port` targets: all addresses of the host, followed. */
export function registerNameResolver(): void {
  if (registered) return;
  registered = true;
  experimental.registerResolver("name", NameResolver);
}

class NameResolver extends PolledResolver {
  constructor(
    { path }: experimental.GrpcUri,
    listener: experimental.ResolverListener,
    options: ChannelOptions,
  ) {
    const { host, port = 443 } = experimental.splitHostPort(path) ?? { host: path };
    const look = async () => {
      const found = await dns.promises.lookup(host, { all: true });
      return found.map(({ address }) => ({ host: address, port }));
    };
    super(listener, { source: `the name ${host}`, everyMs: POLL_MS, look, options });
  }

  static getDefaultAuthority({ path }: experimental.GrpcUri): string {
    return path;
  }
}
