import { busFields, engineFields, loadServiceConfig, serverFields } from "@stagecraft/service-kit";
import { modelStoreFields } from "@stagecraft/model-store";
import { WEIGHTS_DTYPES } from "@stagecraft/weights";
import { z } from "zod";

const own = {
  runsDir: z.string().min(1).default("runs").describe("Folder of the run directories"),
  readDirs: z
    .array(z.string().min(1))
    .default(["models"])
    .describe("Folders that runs may read, beside the runs; callers name files nowhere else"),
  writeDirs: z
    .array(z.string().min(1))
    .default([])
    .describe("Folders that runs may write to, beside their own; for cacheDir"),
  modelSources: z
    .array(z.string().regex(/^(s3|nats):\/\/.*$/, "s3://BUCKET, s3://BUCKET/PREFIX, nats://PREFIX"))
    .default([])
    .describe(
      "Beginnings of s3:// and nats:// names that runs may load models from; none = no store",
    ),
  pushModels: z
    .string()
    .regex(/^$|^(s3:\/\/[^/@]+(\/[^@]+)?|nats:\/\/[^@]+)$/, "s3://BUCKET/PREFIX or nats://PREFIX")
    .default("")
    .describe("Where models of finished runs go, each under its run's id; empty = nowhere"),
  weightsDir: z
    .string()
    .min(1)
    .describe('Directory of the weight store, or "nats:" for the object store of the bus'),
  signKey: z
    .string()
    .default("")
    .describe("PEM private key (Ed25519) that signs weights and finished models; empty = unsigned"),
  keepWeights: z
    .int()
    .min(1)
    .default(3)
    .describe("Versions in the weight store, with the one being published; 2 at least while it is"),
  weightsDtype: z
    .enum(WEIGHTS_DTYPES)
    .default("f32")
    .describe("How policies serve weights; bf16: half the bytes, sampled from rounded weights"),
  maxActive: z.int().min(1).max(64).default(1).describe("Runs working at once; more wait"),
  eventsKept: z.int().min(1).default(2000).describe("Events of a run kept for late watchers"),
  taskTimeoutMs: z
    .int()
    .min(1)
    .default(300_000)
    .describe("Wait for a rollout before asking again, ms"),
  leaseMs: z
    .int()
    .min(1000)
    .default(15_000)
    .describe("A trainer that says nothing for so long is replaced by a waiting one, ms"),
  takeOver: z
    .boolean()
    .default(false)
    .describe("Replace a living trainer of this deployment at once instead of waiting for its end"),
  stuckAfterMs: z
    .int()
    .min(1000)
    .default(120_000)
    .describe("Silence of a run's thread after which health is NOT_SERVING, ms"),
  maxRuns: z.int().min(1).default(1000).describe("Runs known; a new one beyond is refused"),
  maxRunsMb: z
    .int()
    .min(0)
    .default(0)
    .describe("Size of the runs folder beyond which no run is accepted, MiB; 0 = no bound"),
  maxCrashes: z
    .int()
    .min(1)
    .default(5)
    .describe("Crashes of a run in a row, without getting further, after which it is given up"),
  runHeapMb: z
    .int()
    .min(0)
    .default(0)
    .describe("JavaScript heap of a run's thread, MiB; 0 = Node's own bound"),
  maxAttempts: z.int().min(1).default(3).describe("Times a task is asked before the run fails"),
};

/** Configuration of the trainer service. */
export const trainerSchema = z.strictObject({
  ...own,
  ...serverFields(50054, ["CreateRun=60"]),
  ...busFields,
  ...engineFields,
  ...modelStoreFields,
});

/** `TrainerConfig` of the service's configuration. */
export type TrainerConfig = z.infer<typeof trainerSchema>;

/** See `loadServiceConfig`. */
export function loadTrainerConfig(args: readonly string[]): Promise<Readonly<TrainerConfig>> {
  return loadServiceConfig(trainerSchema, { service: "trainer", args });
}
