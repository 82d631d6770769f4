import { StagecraftError } from "@stagecraft/core";

/**
 * The grpc-js target of an address: `host:port`, any `dns:`/`ipv4:`/`ipv6:`/`unix:` URI, several
 * `ip:port` separated by commas, over which calls are spread, or `file:PATH`, a file with one
 * `ip:port` a line that is read again as it changes. A host name stands for all its addresses (a
 * headless service: all its pods) and is looked up again every two seconds.
 */
export function targetOf(address: string): string {
  if (/^(dns|ipv4|ipv6|unix|file):/.test(address)) return address;
  const parts = address.split(",").map((part) => part.trim());
  const bad = parts.find((part) => !/^(\[[0-9a-fA-F:.]+\]|[^:\s/[\]]+):\d{1,5}$/.test(part));
  if (bad !== undefined) {
    throw new StagecraftError(
      "invalid_argument",
      `address "${address}": "${bad}" is not host:port; write e.g. 127.0.0.1:5001`,
      { details: { address } },
    );
  }
  if (parts.length === 1)
    return /^[\d.]+:/.test(address) ? `ipv4:${address}` : `name:///${address}`;
  const families = new Set(parts.map((part) => family(part)));
  if (families.size === 1 && !families.has("dns")) return `${[...families][0]}:${parts.join(",")}`;
  throw new StagecraftError(
    "invalid_argument",
    `address "${address}": a list needs IP addresses of one family, or give one host name`,
    { details: { address } },
  );
}

/** True when no byte of the traffic leaves this machine; a plaintext `file:` target sees to that itself. */
export function isLoopbackTarget(target: string): boolean {
  if (/^(unix|file):/.test(target)) return true;
  const hosts = target
    .replace(/^(dns|name):\/\/[^/]*\//, "")
    .replace(/^(dns|ipv4|ipv6):/, "")
    .split(",")
    .map((part) => part.replace(/:\d+$/, ""));
  return hosts.every(isLoopbackHost);
}

/** True for 127.0.0.0/8, ::1 and localhost. */
export function isLoopbackHost(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, "").toLowerCase();
  return bare === "localhost" || bare === "::1" || /^127(\.\d{1,3}){3}$/.test(bare);
}

function family(part: string): "ipv4" | "ipv6" | "dns" {
  if (part.startsWith("[")) return "ipv6";
  return /^[\d.]+:\d+$/.test(part) ? "ipv4" : "dns";
}
