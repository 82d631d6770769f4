import type { ServiceName } from "./options.js";
import { freePort } from "./probe.js";

/** From the first port of a cluster to a service's first. */
const OFFSETS: Readonly<Record<ServiceName | "nats", number>> = {
  nats: 0,
  trainer: 1,
  "reward-model": 10,
  policy: 300,
  rollout: 600,
};

/** The port of a service's process number `index`; a free one when no base is set. */
export async function choosePort(
  portBase: number,
  service: ServiceName | "nats",
  index = 0,
): Promise<number> {
  return portBase === 0 ? freePort() : portBase + OFFSETS[service] + index;
}
