import { experimental, Metadata, status, type ChannelOptions } from "@grpc/grpc-js";
import { isLoopbackHost } from "./address.js";

/** Channel option: addresses off this machine are left out, because the channel is plaintext. */
export const LOOPBACK_ONLY = "stagecraft.loopback_only";

export interface PolledAddresses {
  /** Where they stand, for messages. */
  source: string;
  /** How often they are looked at again. */
  everyMs: number;
  /** The servers now; rejects when that cannot be told. */
  look(): Promise<HostPort[]>;
  options: ChannelOptions;
}

/** A server's address. */
export interface HostPort {
  host: string;
  port: number;
}

/**
 * Servers that are looked up again and again, so that they come and go under running clients.
 *
 * grpc-js looks again only after a connection has failed. One that was sent to an address of a machine
 * that is gone fails after the kernel's two minutes, and until then nobody hears of its successor.
 * What cannot be read leaves the addresses as they were.
 */
export abstract class PolledResolver implements experimental.Resolver {
  private timer: NodeJS.Timeout | undefined;
  private isLooking = false;
  /** What was last reported: addresses, or a problem. */
  private reported: string | undefined;
  private hasAddresses = false;

  protected constructor(
    private readonly listener: experimental.ResolverListener,
    private readonly addresses: PolledAddresses,
  ) {}

  updateResolution(): void {
    this.timer ??= setInterval(() => void this.look(), this.addresses.everyMs).unref();
    process.nextTick(() => void this.look());
  }

  destroy(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.reported = undefined;
    this.hasAddresses = false;
  }

  private async look(): Promise<void> {
    const { timer, addresses } = this;
    if (!timer || this.isLooking) return;
    this.isLooking = true;
    const report = await addresses.look().then(
      (found) => () => this.report(found),
      (error: Error) => () => this.fail(`cannot be read (${error.message})`),
    );
    this.isLooking = false;
    if (this.timer === timer) report();
  }

  private report(found: readonly HostPort[]): void {
    const isAllowed = ({ host }: HostPort) =>
      !this.addresses.options[LOOPBACK_ONLY] || isLoopbackHost(host);
    const allowed = found.filter(isAllowed);
    if (allowed.length === 0) return this.fail("names no server that may be called");
    const text = allowed
      .map(({ host, port }) => `${host} ${port}`)
      .sort()
      .join();
    if (text === this.reported) return;
    this.reported = text;
    this.hasAddresses = true;
    const endpoints = allowed.map((address) => ({ addresses: [address] }));
    this.listener(experimental.statusOrFromValue(endpoints), {}, null, "");
  }

  private fail(reason: string): void {
    // Servers that were there are better than none.
    if (this.hasAddresses || this.reported === reason) return;
    this.reported = reason;
    const details = `${this.addresses.source} ${reason}`;
    const error = { code: status.UNAVAILABLE, details, metadata: new Metadata() };
    this.listener(experimental.statusOrFromError(error), {}, null, "");
  }
}
