import { isLoopbackHost } from "@stagecraft/rpc";
import { StagecraftError } from "@stagecraft/core";

/** How people reach the pages. */
export interface Site {
  host: string;
  port: number;
  tls?: { certFile: string; keyFile: string };
  /** Addresses of proxies in front, whose word on address, host and protocol counts. */
  trustedProxies: readonly string[];
  /** `https://rank.example.org`; empty: as it listens. */
  publicUrl: string;
}

/** Throws `failed_precondition` for pages that would go over a network in plaintext. */
export function checkSite({ host, tls, trustedProxies, publicUrl }: Site): void {
  if (publicUrl !== "" && !URL.canParse(publicUrl)) {
    throw new StagecraftError("invalid_argument", `httpPublicUrl ${publicUrl} is no URL`);
  }
  if (isLoopbackHost(host) || tls) return;
  if (trustedProxies.length > 0 && publicUrl.startsWith("https:")) return;
  throw new StagecraftError(
    "failed_precondition",
    `httpHost ${host} is reachable from elsewhere: passwords and sessions would go in plaintext; give --http-tls-cert and --http-tls-key, or behind a proxy that speaks TLS --http-trusted-proxies and an https --http-public-url`,
  );
}

/** Whether nobody beyond this machine gets here, through a proxy neither. */
export function isLocal({ host, trustedProxies, publicUrl }: Site): boolean {
  return isLoopbackHost(host) && trustedProxies.length === 0 && publicUrl === "";
}

/** Where people are sent: the public URL, or the address that is listened on. */
export function originOf({ host, tls, publicUrl }: Site, port: number): string {
  if (publicUrl !== "") return new URL(publicUrl).origin;
  const name = host.includes(":") ? `[${host}]` : host;
  return `${tls ? "https" : "http"}://${name}:${port}`;
}

/**
 * Whether a Host header is one of ours. Another name that leads to a loopback address is how a foreign
 * page reads a local one (DNS rebinding).
 */
export function isOurHost({ host, publicUrl }: Site, header: string | undefined): boolean {
  if (header === undefined) return false;
  const name = header.replace(/:\d+$/, "").toLowerCase();
  if (publicUrl !== "" && new URL(publicUrl).hostname === name.replace(/^\[|\]$/g, "")) return true;
  return isLoopbackHost(host) ? isLoopbackHost(name) : true;
}
