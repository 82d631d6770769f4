import { execFileSync } from "node:child_process";
import { connect } from "node:tls";

/**
 * Writes PEM files (`<name>.crt`, `<name>.key`) for tests of TLS, by openssl: an authority `ca`, its
 * `server` (for localhost and 127.0.0.1), `client` (CN rollout) and `expired`, and a self-made `foreign`.
 */
export function makeCertificates(dir: string): void {
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: dir, stdio: "pipe" });
  const ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  for (const name of ["ca", "foreign"]) {
    const out = ["-keyout", `${name}.key`, "-out", `${name}.crt`];
    openssl("req", "-x509", ...ec, ...out, "-subj", `/CN=${name}`, "-days", "2");
  }
  const sign = (name: string, cn: string, ...dates: string[]) => {
    const out = ["-keyout", `${name}.key`, "-out", `${name}.csr`];
    const san = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
    openssl("req", ...ec, ...out, "-subj", `/CN=${cn}`, ...san);
    const ca = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"];
    const io = ["-in", `${name}.csr`, "-out", `${name}.crt`];
    openssl("x509", "-req", ...io, ...ca, "-copy_extensions", "copy", ...dates);
  };
  sign("server", "localhost", "-days", "2");
  sign("client", "rollout", "-days", "2");
  sign("expired", "rollout", "-days", "-1");
}

/** Fingerprint of the certificate that a server on loopback shows to somebody who connects now. */
export function shownCertificate(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().fingerprint256);
      socket.destroy();
    });
    socket.on("error", reject);
  });
}
