import type { ServiceName } from "./options.js";
import { freePort } from "./probe.js";

/** From the first port of a cluster to a service's first. */
const OFFSETS: Readonly<Record<ServiceName | "nats", number>> = {
  nats: 0,
  trainer: 1,
  gateway: 2,
  "reward-model": 10,
  policy: 300,
  rollout: 600,
};

/** Port of the pages, after those of the gateway's calls. */
const PAGES_OFFSET = 3;

/** Where metrics begin. */
const METRICS_OFFSET = 1000;

/** Where one process listens. */
export interface Ports {
  port: number;
  /** `GET /metrics`; the broker has none. */
  metricsPort: number;
}

/** The ports of a service's process number `index`; free ones when no base is set. */
export async function choosePorts(
  portBase: number,
  service: ServiceName | "nats",
  index = 0,
): Promise<Ports> {
  if (portBase === 0) return { port: await freePort(), metricsPort: await freePort() };
  const port = portBase + OFFSETS[service] + index;
  return { port, metricsPort: port + METRICS_OFFSET };
}

/** Where people find the pages, over every restart of the gateway. */
export async function choosePagesPort(portBase: number, wanted: number): Promise<number> {
  if (wanted !== 0) return wanted;
  return portBase === 0 ? freePort() : portBase + PAGES_OFFSET;
}
