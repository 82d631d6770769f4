import type { StartedProcess } from "./process.js";
import { waitFor } from "./wait-for.js";

/** A busy machine takes long to start a process; one that ends before is not waited for. */
const PATIENCE_MS = 120_000;

/**
 * `127.0.0.1:<port>` of a service's process once its log says that it serves. Throws with its last words when it
 * ends before.
 */
export async function servingAddress(
  service: Pick<StartedProcess, "output" | "child">,
  name: string,
  timeoutMs = PATIENCE_MS,
): Promise<string> {
  const portOf = () => /"port":(\d+)[^\n]*"serving"/.exec(service.output())?.[1];
  const hasEnded = () => service.child.exitCode !== null || service.child.signalCode !== null;
  await waitFor(() => portOf() ?? hasEnded(), { what: `${name} to serve`, timeoutMs });
  const port = portOf();
  if (port === undefined) throw new Error(`${name} ended: ${service.output().slice(-4000)}`);
  return `127.0.0.1:${port}`;
}
