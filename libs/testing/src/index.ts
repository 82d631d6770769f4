export { closeTo, describeDifference, expectAllclose, type Tolerance } from "./allclose.js";
export { CHROMIUM, launchBrowser, openPage, SCREENS } from "./browser.js";
export { makeCertificates, shownCertificate } from "./certificates.js";
export { Crash, crashAfter, fullAfter } from "./fault-file-system.js";
export { createFaultProxy, type FaultProxy } from "./fault-proxy.js";
export {
  hasNatsServer,
  NATS_MISSING,
  startNatsServer,
  type NatsServer,
  type NatsServerOptions,
} from "./nats-server.js";
export { signInByLink, type PagesClient } from "./pages-client.js";
export { pgliteTemplate } from "./pglite-template.js";
export { postgresBin, startPostgres, type PostgresServer } from "./postgres.js";
export { freePort, startProcess, type StartedProcess } from "./process.js";
export { tempDir, type TempDir } from "./temp-dir.js";
export { gate, waitFor, type Gate, type WaitOptions } from "./wait-for.js";
