import { busFields, flag, text } from "@stagecraft/fields";
import type { z } from "zod";

/** Settings of a process that loads models from object stores. */
export const modelStoreFields = {
  s3Endpoint: text("").describe(
    "S3-compatible store of s3:// models, e.g. https://minio:9000; empty = AWS",
  ),
  s3Region: text("us-east-1").describe("Region that S3 requests are signed for"),
  s3AccessKeyId: text("").describe("Access key of that store"),
  s3SecretAccessKey: text("").describe("Secret of that access key").meta({ secret: true }),
  s3SessionToken: text("")
    .describe("Session token of temporary S3 credentials; empty = none")
    .meta({ secret: true }),
  modelsCache: text("").describe(
    "Folder for models that come from object stores; empty = in the temporary folder",
  ),
};

/** Settings of a server whose place is prepared by another process, such as the init container of its pod. */
export const bringModelsFields = {
  bringModels: flag(false).describe(
    "Bring the models into modelsCache, waiting until they are there, and end",
  ),
};

/** Parsed `modelStoreFields`. */
export type ModelStoreSettings = z.infer<z.ZodObject<typeof modelStoreFields>>;

const { natsReplicas: _1, taskAckWaitMs: _2, weightsMaxMb: _3, ...connection } = busFields;

/** For a service that needs no broker but for nats:// models. */
export const modelBrokerFields = {
  ...connection,
  natsUrl: text("").describe("NATS servers of nats:// models, by comma; empty = none"),
};
