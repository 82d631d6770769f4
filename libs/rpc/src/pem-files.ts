import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { rootCertificates } from "node:tls";
import type { experimental } from "@grpc/grpc-js";
import { StagecraftError } from "@stagecraft/core";

/** PEM files of one side of a connection; a pair or an authority may be missing. */
export interface PemFiles {
  certFile?: string | undefined;
  keyFile?: string | undefined;
  caFile?: string | undefined;
}

/** How often the files are read again. */
const POLL_MS = 1000;

interface Content {
  cert: Buffer | undefined;
  key: Buffer | undefined;
  ca: Buffer;
}

/**
 * Certificates for grpc-js that follow their files: read now, and again every second while a server or
 * a connection uses them. What cannot be read, or a key that does not fit its certificate (half of a
 * renewal), is told and passed over. Throws when the files are wrong from the start. Without an
 * authority the system's are taken.
 */
export function watchPemFiles(
  files: PemFiles,
  onWarning: (message: string) => void = () => undefined,
): experimental.CertificateProvider {
  let content = readAll(files);
  let told = "";
  let timer: NodeJS.Timeout | undefined;
  const authority = new Set<experimental.CaCertificateUpdateListener>();
  const identity = new Set<experimental.IdentityCertificateUpdateListener>();
  const tellAuthority = (listener: experimental.CaCertificateUpdateListener) =>
    listener({ caCertificate: content.ca });
  const tellIdentity = (listener: experimental.IdentityCertificateUpdateListener) => {
    const { cert, key } = content;
    listener(cert && key ? { certificate: cert, privateKey: key } : null);
  };
  const look = () => {
    try {
      const next = readAll(files);
      if (isSame(next, content)) return;
      content = next;
      told = "";
    } catch (thrown) {
      const { reason } = StagecraftError.from(thrown);
      if (reason !== told) onWarning(`certificates stay as they were: ${reason}`);
      told = reason;
      return;
    }
    authority.forEach(tellAuthority);
    identity.forEach(tellIdentity);
  };
  const watch = () => {
    const isUsed = authority.size + identity.size > 0;
    if (isUsed && !timer) {
      look();
      timer = setInterval(look, POLL_MS).unref();
    }
    if (isUsed) return;
    clearInterval(timer);
    timer = undefined;
  };
  return {
    addCaCertificateListener(listener) {
      authority.add(listener);
      watch();
      process.nextTick(() => authority.has(listener) && tellAuthority(listener));
    },
    removeCaCertificateListener(listener) {
      authority.delete(listener);
      watch();
    },
    addIdentityCertificateListener(listener) {
      identity.add(listener);
      watch();
      process.nextTick(() => identity.has(listener) && tellIdentity(listener));
    },
    removeIdentityCertificateListener(listener) {
      identity.delete(listener);
      watch();
    },
  };
}

/**
 * Tells the certificate and key of files, now and whenever they were renewed, until the returned function is
 * called: for servers that are no gRPC ones. Throws and warns as `watchPemFiles` does.
 */
export function followCertificate(
  files: { certFile: string; keyFile: string },
  onChange: (pair: { cert: Buffer; key: Buffer }) => void,
  onWarning?: (message: string) => void,
): () => void {
  const provider = watchPemFiles(files, onWarning);
  const listener: experimental.IdentityCertificateUpdateListener = (update) => {
    if (update) onChange({ cert: update.certificate, key: update.privateKey });
  };
  provider.addIdentityCertificateListener(listener);
  return () => provider.removeIdentityCertificateListener(listener);
}

function readAll({ certFile, keyFile, caFile }: PemFiles): Content {
  const [cert, key] = [certFile, keyFile].map((file) => (file ? readPem(file) : undefined));
  if (cert && key) checkPair(cert, key, String(keyFile));
  const ca = caFile === undefined ? Buffer.from(rootCertificates.join("\n")) : readPem(caFile);
  return { cert, key, ca };
}

function checkPair(cert: Buffer, key: Buffer, keyFile: string): void {
  if (isPair(cert, key, keyFile)) return;
  throw new StagecraftError("invalid_argument", `${keyFile} is not the key of its certificate`);
}

function isPair(cert: Buffer, key: Buffer, keyFile: string): boolean {
  try {
    return new X509Certificate(cert).checkPrivateKey(createPrivateKey(key));
  } catch (cause) {
    const reason = `${keyFile} or its certificate is damaged`;
    throw new StagecraftError("invalid_argument", reason, { cause });
  }
}

function isSame(a: Content, b: Content): boolean {
  const equal = (x: Buffer | undefined, y: Buffer | undefined) =>
    x === y || (x !== undefined && y !== undefined && x.equals(y));
  return equal(a.cert, b.cert) && equal(a.key, b.key) && equal(a.ca, b.ca);
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
