import type { EventBus, Lease, Topology } from "@stagecraft/bus";
import type { TensorMap } from "@stagecraft/checkpoint";
import { events } from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import { METRICS, type Metrics } from "@stagecraft/telemetry";
import { openAnnouncements } from "./announcements.js";
import { createRoom, sizeOfWeights } from "./room.js";
import type { WeightManifest, WeightStore } from "./weight-store.js";
import { asDtype, type WeightsDtype } from "./weights-dtype.js";

export interface PublisherOptions {
  /** Named in announcements. */
  runId: string;
  bus: EventBus;
  /** Where the deployment's policies look. */
  topology: Topology;
  store: WeightStore;
  /** Versions in the store at most, the one being published included; two at least, for a moment. */
  keepWeights: number;
  /** How weights travel and are served; see `asDtype`. Default f32, as they are trained. */
  weightsDtype?: WeightsDtype | undefined;
  /** Asked before anything is stored; without one this process is the only publisher. */
  lease?: Lease | undefined;
  metrics?: Metrics | undefined;
}

/** Weights that policies can fetch, but have not been told of. */
export interface StoredVersion extends WeightManifest {
  /** Tells the policies to use them from now on, and removes what is too old. */
  announce(): Promise<void>;
}

/** Gives the weights of a run numbers that only grow within a deployment. */
export interface BusWeightPublisher {
  /** Under the next free number. Throws `aborted` when another trainer has taken over. */
  store(tensors: TensorMap, step: number): Promise<StoredVersion>;
  /**
   * For a broker that may have lost everything: says the last word again. Resolves to why the run must
   * publish again from its checkpoint, when the weights are gone as well.
   */
  restore(): Promise<StagecraftError | undefined>;
}

/** A publisher that goes on after the newest version of the store. */
export async function openWeightPublisher(options: PublisherOptions): Promise<BusWeightPublisher> {
  const { store, lease, runId, keepWeights, weightsDtype = "f32" } = options;
  const room = createRoom(options);
  let last = (await store.latest())?.version ?? 0;
  let numStored = 0;
  const announcements = await openAnnouncements(options);
  let announced = announcements.version;

  /** One that another trainer took meanwhile is passed over. */
  const storeNext = async (tensors: TensorMap, step: number): Promise<WeightManifest> => {
    for (;;) {
      try {
        return await store.publish(++last, tensors, { step });
      } catch (thrown) {
        if (StagecraftError.from(thrown).code !== "already_exists") throw thrown;
        await lease?.confirm();
      }
    }
  };
  const announce = async ({ version, sha256, step, sizeBytes }: WeightManifest) => {
    const weights = { version, sha256, step: BigInt(step), sizeBytes: BigInt(sizeBytes) };
    const event = events.WeightsPublished.encode({ runId, weights, createdAt: new Date() });
    await announcements.announce(event.finish());
    announced = version;
    options.metrics?.gauge(METRICS.trainerWeightVersion).set({}, version);
    await store.prune(keepWeights, version);
  };
  return {
    async store(trained, step) {
      await lease?.confirm();
      const tensors = asDtype(trained, weightsDtype);
      // Before, not after: the store is sized for the versions kept, not for one more.
      await store.prune(keepWeights - 1, announced);
      await room.reserve(sizeOfWeights(tensors));
      const manifest = await storeNext(tensors, step);
      numStored++;
      return { ...manifest, announce: () => announce(manifest) };
    },
    async restore() {
      await announcements.restore();
      const latest = await store.latest();
      const isThere = numStored === 0 || (latest?.version ?? 0) >= last;
      return isThere ? undefined : weightsLost(last);
    },
  };
}

function weightsLost(version: number): StagecraftError {
  return new StagecraftError(
    "unavailable",
    `weights ${version} are gone from the weight store; they are published again from the last checkpoint`,
    { details: { version } },
  );
}
