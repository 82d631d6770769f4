import type { EventBus, Topology } from "@stagecraft/bus";
import { StagecraftError } from "@stagecraft/core";
import type { Logger } from "@stagecraft/telemetry";

/** Keeps the stream of rollouts from filling up with what was learnt from long ago. */
export interface RolloutTrim {
  /** Something was settled; resolves when the stream has been looked at after this call. */
  settled(): Promise<void>;
}

export interface RolloutTrimOptions {
  bus: EventBus;
  topology: Topology;
  /** Settled messages to keep, which the broker knows again after a restart. */
  keep: number;
  logger: Logger;
}

/**
 * The stream keeps acknowledged messages and refuses new ones when it is full. Beyond half of its
 * size nothing settled is kept: a duplicate is caught by its task, a full stream stops the run.
 */
export function createRolloutTrim(options: RolloutTrimOptions): RolloutTrim {
  const { bus, topology, keep, logger } = options;
  const consumer = topology.rolloutsConsumer;
  const maxBytes = topology.streams.find(({ name }) => name === consumer.stream)?.maxBytes;
  const trim = async () => {
    try {
      await bus.trimSettled(consumer, keep);
      const { bytes } = await bus.streamInfo(consumer.stream);
      if (bytes > (maxBytes ?? Infinity) / 2) await bus.trimSettled(consumer);
    } catch (thrown) {
      logger.warn({ err: StagecraftError.from(thrown) }, "settled rollouts could not be removed");
    }
  };
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  const start = () => (running = trim().finally(() => (running = undefined)));
  return {
    settled() {
      if (!running) return start();
      // One more after the running one, for all who came meanwhile.
      return (next ??= running.then(() => {
        next = undefined;
        return start();
      }));
    },
  };
}
