import { readFileSync } from "node:fs";
import { ChannelCredentials, ServerCredentials } from "@grpc/grpc-js";
import { StagecraftError } from "@stagecraft/core";
import { isLoopbackHost, isLoopbackTarget } from "./address.js";

/** PEM files of a server. */
export interface ServerTls {
  certFile: string;
  keyFile: string;
  /** When given, clients must show a certificate of this authority (mTLS). */
  clientCaFile?: string;
}

/** PEM files of a client. */
export interface ClientTls {
  /** Authority of the server's certificate; default the system's. */
  caFile?: string;
  /** Own certificate and key, for servers that ask (mTLS). */
  certFile?: string;
  keyFile?: string;
  /** Name expected in the server's certificate when it is not the host called. */
  serverName?: string;
}

/** TLS when configured; plaintext on loopback only, unless `allowPlaintext` says otherwise. */
export function serverCredentials(options: {
  host: string;
  tls?: ServerTls | undefined;
  allowPlaintext?: boolean | undefined;
}): ServerCredentials {
  const { host, tls, allowPlaintext } = options;
  if (tls) {
    const clientCa = tls.clientCaFile === undefined ? null : readPem(tls.clientCaFile);
    const pair = { cert_chain: readPem(tls.certFile), private_key: readPem(tls.keyFile) };
    return ServerCredentials.createSsl(clientCa, [pair], clientCa !== null);
  }
  if (!isLoopbackHost(host) && !allowPlaintext) throw plaintextRefused(`listen on ${host}`);
  return ServerCredentials.createInsecure();
}

/** The client's side of the same rule. */
export function clientCredentials(options: {
  target: string;
  tls?: ClientTls | undefined;
  allowPlaintext?: boolean | undefined;
}): ChannelCredentials {
  const { target, tls, allowPlaintext } = options;
  if (tls) {
    if ((tls.certFile === undefined) !== (tls.keyFile === undefined)) {
      throw new StagecraftError("invalid_argument", "tls: give certFile and keyFile together");
    }
    const read = (file: string | undefined) => (file === undefined ? null : readPem(file));
    return ChannelCredentials.createSsl(read(tls.caFile), read(tls.keyFile), read(tls.certFile));
  }
  if (!isLoopbackTarget(target) && !allowPlaintext) throw plaintextRefused(`call ${target}`);
  return ChannelCredentials.createInsecure();
}

function plaintextRefused(action: string): StagecraftError {
  return new StagecraftError(
    "failed_precondition",
    `refusing to ${action} without TLS; configure tls, or allowPlaintext on a network you trust`,
  );
}

function readPem(file: string): Buffer {
  let pem: Buffer;
  try {
    pem = readFileSync(file);
  } catch (error) {
    const { code } = StagecraftError.from(error);
    throw new StagecraftError(code, `cannot read ${file}`, { cause: error, details: { file } });
  }
  if (pem.includes("-----BEGIN ")) return pem;
  throw new StagecraftError("invalid_argument", `${file} is not a PEM file`, { details: { file } });
}
