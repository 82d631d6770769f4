import { loadServiceConfig, serverFields } from "@stagecraft/service-kit";
import { modelStoreFields } from "@stagecraft/model-store";
import { WEIGHTS_DTYPES } from "@stagecraft/weights";
import { busFields, choice, engineFields, flag, text, texts, whole } from "@stagecraft/fields";
import { z } from "zod";

const own = {
  runsDir: text("runs").describe("Folder of the run directories"),
  readDirs: texts(["models"]).describe(
    "Folders that runs may read, beside the runs; callers name files nowhere else",
  ),
  writeDirs: texts([]).describe("Folders that runs may write to, beside their own; for cacheDir"),
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
  weightsDir: text().describe(
    'Directory of the weight store, or "nats:" for the object store of the bus',
  ),
  signKey: text("").describe(
    "PEM private key (Ed25519) that signs weights and finished models; empty = unsigned",
  ),
  keepWeights: whole({ min: 1, default: 3 }).describe(
    "Versions in the weight store, with the one being published; 2 at least while it is",
  ),
  weightsDtype: choice(WEIGHTS_DTYPES, "f32").describe(
    "How policies serve weights; bf16: half the bytes, sampled from rounded weights",
  ),
  maxActive: whole({ min: 1, max: 64, default: 1 }).describe("Runs working at once; more wait"),
  eventsKept: whole({ min: 1, default: 2000 }).describe("Events of a run kept for late watchers"),
  taskTimeoutMs: whole({ min: 1, default: 300_000 }).describe(
    "Wait for a rollout before asking again, ms",
  ),
  leaseMs: whole({ min: 1000, default: 15_000 }).describe(
    "A trainer that says nothing for so long is replaced by a waiting one, ms",
  ),
  takeOver: flag(false).describe(
    "Replace a living trainer of this deployment at once instead of waiting for its end",
  ),
  stuckAfterMs: whole({ min: 1000, default: 120_000 }).describe(
    "Silence of a run's thread after which health is NOT_SERVING, ms",
  ),
  maxRuns: whole({ min: 1, default: 1000 }).describe("Runs known; a new one beyond is refused"),
  maxRunsMb: whole({ default: 0 }).describe(
    "Size of the runs folder beyond which no run is accepted, MiB; 0 = no bound",
  ),
  maxCrashes: whole({ min: 1, default: 5 }).describe(
    "Crashes of a run in a row, without getting further, after which it is given up",
  ),
  runHeapMb: whole({ default: 0 }).describe(
    "JavaScript heap of a run's thread, MiB; 0 = Node's own bound",
  ),
  maxAttempts: whole({ min: 1, default: 3 }).describe("Times a task is asked before the run fails"),
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
