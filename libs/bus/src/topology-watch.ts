import { StagecraftError } from "@stagecraft/core";
import type { Logger } from "@stagecraft/telemetry";
import type { EventBus } from "./bus.js";
import { setUpTopology, type Topology } from "./topology.js";

export interface TopologyWatchOptions {
  bus: EventBus;
  topology: Topology;
  /** Between looks; default 2 s. */
  everyMs?: number;
  logger: Logger;
  /** Called after every look; undefined while everything is there. */
  onProblem(problem: string | undefined): void;
}

/** Looks after what a deployment has on the bus. */
export interface TopologyWatch {
  close(): void;
}

/** Looks without an answer after which the broker counts as away: a restart takes less. */
const MAX_UNANSWERED = 2;

/**
 * A broker that lost its store comes back without streams, consumers and buckets, and every client
 * waits for ever. This looks whether they are there and sets them up again, or says that this user may
 * not. Without the right it asks no second time before they have been there again.
 */
export function watchTopology(options: TopologyWatchOptions): TopologyWatch {
  const { bus, topology, everyMs = 2000, logger, onProblem } = options;
  let looking = false;
  let unanswered = 0;
  let refused: string | undefined;
  let closed = false;
  const restore = async (missing: readonly string[]): Promise<string | undefined> => {
    if (refused !== undefined) return refused;
    logger.error({ missing }, "the broker has lost its store: setting it up again");
    try {
      await setUpTopology(bus, topology);
      logger.warn({ missing }, "set up again; what was stored there is lost");
      return undefined;
    } catch (thrown) {
      const { reason, cause } = StagecraftError.from(thrown);
      const problem = `the broker has lost ${missing.join(", ")}: ${reason}`;
      if (StagecraftError.from(cause).code === "permission_denied") refused = problem;
      return problem;
    }
  };
  const judge = async (): Promise<string | undefined> => {
    try {
      const missing = await missingParts(bus, topology);
      unanswered = 0;
      if (missing.length > 0) return await restore(missing);
      refused = undefined;
      return undefined;
    } catch (thrown) {
      if (++unanswered < MAX_UNANSWERED) return undefined;
      return `the broker does not answer: ${StagecraftError.from(thrown).reason}`;
    }
  };
  const look = async () => {
    if (looking) return;
    looking = true;
    const problem = await judge();
    looking = false;
    if (!closed) onProblem(problem);
  };
  const timer = setInterval(() => void look(), everyMs);
  timer.unref();
  return {
    close() {
      closed = true;
      clearInterval(timer);
    },
  };
}

/** What is not there, by the broker's names. Throws when it does not answer. */
async function missingParts(bus: EventBus, topology: Topology): Promise<string[]> {
  const { streams, promptsConsumer, rolloutsConsumer, weightsBucket } = topology;
  const looks: [string, () => Promise<unknown>][] = [
    ...streams.map(({ name }): [string, () => Promise<unknown>] => [
      `stream ${name}`,
      () => bus.streamInfo(name),
    ]),
    ...[promptsConsumer, rolloutsConsumer].map((spec): [string, () => Promise<unknown>] => [
      `consumer ${spec.durable} of ${spec.stream}`,
      () => bus.consumerInfo(spec),
    ]),
    [`bucket ${weightsBucket}`, () => bus.keyValue(weightsBucket)],
    [`objects of ${weightsBucket}`, () => bus.streamInfo(`OBJ_${weightsBucket}`)],
  ];
  const found = await Promise.all(
    looks.map(([name, ask]) => isThere(ask).then((is) => [name, is])),
  );
  return found.flatMap(([name, is]) => (is ? [] : [name as string]));
}

async function isThere(ask: () => Promise<unknown>): Promise<boolean> {
  try {
    await ask();
    return true;
  } catch (thrown) {
    if (StagecraftError.from(thrown).code === "not_found") return false;
    throw thrown;
  }
}
