import type { EventBus, Topology } from "@stagecraft/bus";
import { events } from "@stagecraft/contracts";
import { Cleanup } from "./cleanup.js";

interface Acknowledgement {
  sequence: number;
  /** The last committed step when it was heard. */
  committed: number;
}

/** Between hearing an acknowledgement and reading the rollout that was stored before it. */
const MISSING_MS = 3000;

/**
 * Ears of our own on the broker: a consumer on the stream of rollouts, which says what each message
 * is, and subscriptions to the acknowledgements of trainer and workers. A rollout that will never be
 * delivered again must stand in a checkpoint, a task that will not must have its rollout.
 */
export class RolloutTap implements AsyncDisposable {
  private readonly rolloutOf = new Map<number, string>();
  private readonly heard: Acknowledgement[] = [];
  private readonly doneTasks = new Set<number>();
  private missingSince: number | undefined;
  private readonly cleanup = new Cleanup();

  static async open(
    bus: EventBus,
    topology: Topology,
    committed: () => Promise<number>,
  ): Promise<RolloutTap> {
    const tap = new RolloutTap();
    const { stream, durable } = topology.rolloutsConsumer;
    const spec = { stream, durable: "tap", maxDeliver: Infinity, prefetch: 256 };
    await bus.ensureConsumer(spec);
    const consumer = tap.cleanup.use(await bus.consume(spec));
    const settled = { maxQueued: 1_000_000 };
    const acks = tap.cleanup.use(await bus.listen(`$JS.ACK.${stream}.${durable}.>`, settled));
    void (async () => {
      for await (const message of consumer) {
        tap.admit(message.sequence, message.data);
        await message.ack().catch(() => undefined);
      }
    })();
    void (async () => {
      for await (const heard of acks) {
        const sequence = acknowledged(heard);
        if (sequence !== undefined) tap.heard.push({ sequence, committed: await committed() });
      }
    })();
    const prompts = topology.promptsConsumer;
    const taskAcks = await bus.listen(`$JS.ACK.${prompts.stream}.${prompts.durable}.>`, settled);
    tap.cleanup.use(taskAcks);
    void (async () => {
      for await (const heard of taskAcks) {
        const sequence = acknowledged(heard);
        if (sequence !== undefined) tap.doneTasks.add(sequence);
        tap.compare();
      }
    })();
    return tap;
  }

  numSeen(): number {
    return this.rolloutOf.size;
  }

  numAcknowledged(): number {
    return this.heard.length;
  }

  /**
   * A worker stores a rollout before it acknowledges its task, so there are never for long more of the
   * latter. Says so when there are; means nothing once the broker has died.
   */
  unanswered(): string | undefined {
    if (this.missingSince === undefined) return undefined;
    if (performance.now() - this.missingSince < MISSING_MS) return undefined;
    const missing = this.doneTasks.size - this.rolloutOf.size;
    return `${missing} tasks are acknowledged without a stored rollout`;
  }

  /** Rollouts whose every message was acknowledged before a checkpoint had them. */
  problems(): string[] {
    const open = new Map<string, Set<number>>();
    for (const [sequence, id] of this.rolloutOf) {
      open.set(id, (open.get(id) ?? new Set()).add(sequence));
    }
    return this.heard.flatMap(({ sequence, committed }) => {
      const id = this.rolloutOf.get(sequence);
      const update = Number(/^u(\d+)-/.exec(id ?? "")?.[1] ?? -1);
      if (id === undefined) return [];
      open.get(id)!.delete(sequence);
      // A second message with the same answer may go at once, the last one may not.
      if (update < committed || open.get(id)!.size > 0) return [];
      return [
        `rollout ${id} is acknowledged before its checkpoint: the last one is of step ${committed}`,
      ];
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.cleanup[Symbol.asyncDispose]();
  }

  private admit(sequence: number, data: Uint8Array): void {
    try {
      this.rolloutOf.set(sequence, events.Rollout.decode(data).rolloutId);
    } catch {
      // Poison of another row.
    }
    this.compare();
  }

  private compare(): void {
    const isMissing = this.doneTasks.size > this.rolloutOf.size;
    this.missingSince = isMissing ? (this.missingSince ?? performance.now()) : undefined;
  }
}

/** The stream's sequence of the message that an acknowledgement is for. */
function acknowledged({ subject, data }: { subject: string; data: Uint8Array }) {
  if (Buffer.from(data).toString() !== "+ACK") return undefined;
  const tokens = subject.split(".");
  return Number(tokens.at(tokens.length >= 11 ? 7 : 5));
}
