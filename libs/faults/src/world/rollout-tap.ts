import type { EventBus, Topology } from "@stagecraft/bus";
import { events } from "@stagecraft/contracts";

/**
 * A consumer of our own on the stream of rollouts. It knows which rollout has which number, so that
 * the broker's word on what the trainer acknowledged can be held against the checkpoints.
 */
export class RolloutTap implements AsyncDisposable {
  private readonly updateOf = new Map<number, number>();
  private stop: (() => Promise<void>) | undefined;

  private constructor(
    private readonly bus: EventBus,
    private readonly topology: Topology,
  ) {}

  static async open(bus: EventBus, topology: Topology): Promise<RolloutTap> {
    const tap = new RolloutTap(bus, topology);
    const { stream } = topology.rolloutsConsumer;
    const spec = { stream, durable: "tap", maxDeliver: Infinity, prefetch: 256 };
    await bus.ensureConsumer(spec);
    const consumer = await bus.consume(spec);
    const reading = (async () => {
      for await (const message of consumer) {
        tap.admit(message.sequence, message.data);
        await message.ack().catch(() => undefined);
      }
    })();
    tap.stop = async () => {
      await consumer.close();
      await reading;
    };
    return tap;
  }

  numSeen(): number {
    return this.updateOf.size;
  }

  /**
   * Rollouts that the broker will never deliver again although no checkpoint has them. Ask for the
   * committed step after this: an acknowledgement follows its commit.
   */
  async acknowledgedUpTo(): Promise<{ update: number; sequence: number }> {
    const { ackFloor } = await this.bus.consumerInfo(this.topology.rolloutsConsumer);
    let newest = { update: -1, sequence: 0 };
    for (const [sequence, update] of this.updateOf) {
      if (sequence <= ackFloor && update > newest.update) newest = { update, sequence };
    }
    return newest;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop?.();
  }

  private admit(sequence: number, data: Uint8Array): void {
    try {
      const { taskId } = events.Rollout.decode(data);
      const update = Number(/^u(\d+)-/.exec(taskId)?.[1]);
      if (Number.isInteger(update)) this.updateOf.set(sequence, update);
    } catch {
      // Poison of another row.
    }
  }
}
