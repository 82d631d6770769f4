import type { EventBus, Topology } from "@stagecraft/bus";
import { StagecraftError } from "@stagecraft/core";
import type { Logger } from "@stagecraft/telemetry";

export interface StallWatchOptions {
  bus: Pick<EventBus, "consumerInfo">;
  topology: Pick<Topology, "promptsConsumer" | "rolloutsConsumer">;
  /** Tasks that were published and have no rollout yet. */
  numOpen(): number;
  /** Called when no queue holds anything of them. */
  onLost(): void;
  /** Between looks; default 3 s. */
  everyMs?: number;
  logger: Logger;
}

/** Looks at the queues while tasks are open. */
export interface StallWatch {
  /** Something arrived: not now. */
  moved(): void;
  close(): void;
}

/**
 * A broker that is killed may forget what it had confirmed, prompt tasks and rollouts alike. When tasks
 * are open, nothing has moved between two looks, and neither queue holds a message, waiting is in vain:
 * they can be asked again at once instead of after the task timeout.
 */
export function startStallWatch(options: StallWatchOptions): StallWatch {
  const { bus, topology, everyMs = 3000, logger } = options;
  let isQuiet = false;
  const look = async () => {
    const wasQuiet = isQuiet;
    isQuiet = true;
    if (!wasQuiet || options.numOpen() === 0) return;
    try {
      const prompts = await bus.consumerInfo(topology.promptsConsumer);
      const rollouts = await bus.consumerInfo(topology.rolloutsConsumer);
      const isEmpty = prompts.pending + prompts.ackPending + rollouts.pending === 0;
      if (!isEmpty || !isQuiet || options.numOpen() === 0) return;
      logger.warn(
        { tasks: options.numOpen() },
        "the broker has lost open tasks; they are asked again",
      );
      isQuiet = false;
      options.onLost();
    } catch (thrown) {
      logger.debug({ err: StagecraftError.from(thrown) }, "the queues cannot be looked at");
    }
  };
  const timer = setInterval(() => void look(), everyMs);
  timer.unref();
  return {
    moved: () => (isQuiet = false),
    close: () => clearInterval(timer),
  };
}
