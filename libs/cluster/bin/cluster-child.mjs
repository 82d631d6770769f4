// Loaded before a service that a cluster supervises (`node --import`): the service ends in good order
// when the supervisor is gone, however that came about. The cluster's folder stands in this module's
// query, so that a process can be told by its command line.
import { isMainThread } from "node:worker_threads";

/** Beyond the grace of the service itself. */
const FORCE_AFTER_MS = Number(new URL(import.meta.url).searchParams.get("graceMs")) + 5000;

if (isMainThread && process.channel) {
  process.once("disconnect", () => {
    process.kill(process.pid, "SIGTERM");
    setTimeout(() => process.kill(process.pid, "SIGKILL"), FORCE_AFTER_MS).unref();
  });
  process.channel.unref();
}
