import { ChannelCredentials, experimental, ServerCredentials } from "@grpc/grpc-js";
import { StagecraftError } from "@stagecraft/core";
import { isLoopbackHost, isLoopbackTarget } from "./address.js";
import { watchPemFiles } from "./pem-files.js";

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

/** TLS when configured, following its files; plaintext on loopback only, unless `allowPlaintext` says otherwise. */
export function serverCredentials(options: {
  host: string;
  tls?: ServerTls | undefined;
  allowPlaintext?: boolean | undefined;
  /** Told when files that have changed cannot be used. */
  onWarning?: (message: string) => void;
}): ServerCredentials {
  const { host, tls, allowPlaintext, onWarning } = options;
  if (tls) {
    const { certFile, keyFile, clientCaFile: caFile } = tls;
    const files = watchPemFiles({ certFile, keyFile, caFile }, onWarning);
    const asksClients = caFile !== undefined;
    // The identity comes first, whatever its declaration calls its parameters (grpc-js 1.14).
    return experimental.createCertificateProviderServerCredentials(
      files,
      asksClients ? files : null,
      asksClients,
    );
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
    const files = watchPemFiles(tls);
    const identity = tls.certFile === undefined ? null : files;
    return experimental.createCertificateProviderChannelCredentials(files, identity);
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
