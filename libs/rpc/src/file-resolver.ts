import { readFile } from "node:fs/promises";
import { experimental, type ChannelOptions } from "@grpc/grpc-js";
import { PolledResolver } from "./polled-resolver.js";

/** How often the file is read again. */
const POLL_MS = 250;

let registered = false;

/**
 * Makes gRPC understand `file:PATH` targets: a text file with one `ip:port` a line (`#` starts a
 * comment), read again four times a second, so that whoever writes it can add and remove servers
 * under running clients. An unreadable file leaves the addresses as they were.
 */
export function registerFileResolver(): void {
  if (registered) return;
  registered = true;
  experimental.registerResolver("file", FileResolver);
}

class FileResolver extends PolledResolver {
  constructor(
    { path }: experimental.GrpcUri,
    listener: experimental.ResolverListener,
    options: ChannelOptions,
  ) {
    const look = async () => addressesIn(await readFile(path, "utf8"));
    super(listener, { source: `address file ${path}`, everyMs: POLL_MS, look, options });
  }

  static getDefaultAuthority(): string {
    return "localhost";
  }
}

function addressesIn(text: string) {
  return text.split("\n").flatMap((line) => {
    const { host, port } = experimental.splitHostPort(line.replace(/#.*/, "").trim()) ?? {};
    return host === undefined || port === undefined ? [] : [{ host, port }];
  });
}
