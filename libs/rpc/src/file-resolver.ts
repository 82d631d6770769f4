import { readFileSync } from "node:fs";
import { experimental, Metadata, status, type ChannelOptions } from "@grpc/grpc-js";
import { isLoopbackHost } from "./address.js";

/** Channel option: addresses off this machine are left out, because the channel is plaintext. */
export const LOOPBACK_ONLY = "stagecraft.loopback_only";

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

/** The addresses of such a file; throws what reading it throws. */
export function readAddressFile(path: string): string[] {
  return readFileSync(path, "utf8")
    .split("\n")
    .map((line) => line.replace(/#.*/, "").trim())
    .filter((line) => line !== "");
}

class FileResolver implements experimental.Resolver {
  private timer: NodeJS.Timeout | undefined;
  /** What was last reported: addresses, or a problem. */
  private reported: string | undefined;
  private hasAddresses = false;

  constructor(
    private readonly target: experimental.GrpcUri,
    private readonly listener: experimental.ResolverListener,
    private readonly options: ChannelOptions,
  ) {}

  updateResolution(): void {
    if (this.timer) return;
    this.timer = setInterval(() => this.read(), POLL_MS).unref();
    process.nextTick(() => this.timer && this.read());
  }

  destroy(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.reported = undefined;
    this.hasAddresses = false;
  }

  static getDefaultAuthority(): string {
    return "localhost";
  }

  private read(): void {
    let lines: string[];
    try {
      lines = readAddressFile(this.target.path);
    } catch (error) {
      return this.fail(`cannot be read (${(error as Error).message})`);
    }
    const text = lines.join();
    if (text === this.reported) return;
    const endpoints = lines.flatMap((line) => this.endpointOf(line));
    if (endpoints.length === 0) return this.fail("names no server that may be called");
    this.reported = text;
    this.hasAddresses = true;
    this.listener(experimental.statusOrFromValue(endpoints), {}, null, "");
  }

  private endpointOf(line: string): experimental.Endpoint[] {
    const { host, port } = experimental.splitHostPort(line) ?? {};
    if (host === undefined || port === undefined) return [];
    if (this.options[LOOPBACK_ONLY] && !isLoopbackHost(host)) return [];
    return [{ addresses: [{ host, port }] }];
  }

  private fail(reason: string): void {
    // Servers that were there are better than none.
    if (this.hasAddresses || this.reported === reason) return;
    this.reported = reason;
    const details = `address file ${this.target.path} ${reason}`;
    const error = { code: status.UNAVAILABLE, details, metadata: new Metadata() };
    this.listener(experimental.statusOrFromError(error), {}, null, "");
  }
}
