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
  /** Told what is waited for when nothing moves: after 5 looks, then after twice as many each time. */
  onWaiting?(message: string): void;
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

const FIRST_TOLD_AFTER = 5;

/**
 * A broker that is killed may forget what it had confirmed, prompt tasks and rollouts alike. When tasks
 * are open, nothing has moved between two looks, and neither queue holds a message, waiting is in vain:
 * they can be asked again at once instead of after the task timeout. Any other wait goes on, and what
 * for is told.
 */
export function startStallWatch(options: StallWatchOptions): StallWatch {
  const { bus, topology, everyMs = 3000, logger } = options;
  let numQuiet = 0;
  let tellAfter = FIRST_TOLD_AFTER;
  const moved = () => {
    numQuiet = 0;
    tellAfter = FIRST_TOLD_AFTER;
  };
  const tell = (message: string) => {
    if (numQuiet < tellAfter) return;
    tellAfter *= 2;
    const seconds = Math.round((numQuiet * everyMs) / 1000);
    options.onWaiting?.(
      `no answer for ${seconds} s, ${options.numOpen()} to come: ${message}; waiting`,
    );
  };
  const look = async () => {
    if (options.numOpen() === 0) return moved();
    if (++numQuiet < 2) return;
    try {
      const prompts = await bus.consumerInfo(topology.promptsConsumer);
      const rollouts = await bus.consumerInfo(topology.rolloutsConsumer);
      if (numQuiet < 2 || options.numOpen() === 0) return;
      if (prompts.pending + prompts.ackPending + rollouts.pending > 0) {
        return tell(whatFor(prompts));
      }
      const tasks = options.numOpen();
      logger.warn({ tasks }, "the broker has lost open tasks; they are asked again");
      numQuiet = 0;
      options.onLost();
    } catch (thrown) {
      const error = StagecraftError.from(thrown);
      logger.debug({ err: error }, "the queues cannot be looked at");
      tell(`the message broker does not answer (${error.message})`);
    }
  };
  const timer = setInterval(() => void look(), everyMs);
  timer.unref();
  return { moved, close: () => clearInterval(timer) };
}

function whatFor({ pending, ackPending }: { pending: number; ackPending: number }): string {
  if (ackPending > 0) {
    return `rollout workers have ${ackPending} tasks in hand (see their logs if that goes on)`;
  }
  return pending > 0
    ? `${pending} tasks lie in the queue and no rollout worker takes them; start one`
    : "answers lie in the queue and are not read yet";
}
