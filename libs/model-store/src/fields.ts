import { busFields } from "@stagecraft/service-kit";
import { z } from "zod";

/** Settings of a process that loads models from object stores. */
export const modelStoreFields = {
  s3Endpoint: z
    .string()
    .default("")
    .describe("S3-compatible store of s3:// models, e.g. https://minio:9000; empty = AWS"),
  s3Region: z
    .string()
    .min(1)
    .default("us-east-1")
    .describe("Region that S3 requests are signed for"),
  s3AccessKeyId: z.string().default("").describe("Access key of that store"),
  s3SecretAccessKey: z
    .string()
    .default("")
    .describe("Secret of that access key")
    .meta({ secret: true }),
  s3SessionToken: z
    .string()
    .default("")
    .describe("Session token of temporary S3 credentials; empty = none")
    .meta({ secret: true }),
  modelsCache: z
    .string()
    .default("")
    .describe("Folder for models that come from object stores; empty = in the temporary folder"),
};

/** Parsed `modelStoreFields`. */
export type ModelStoreSettings = z.infer<z.ZodObject<typeof modelStoreFields>>;

const { natsReplicas: _1, taskAckWaitMs: _2, weightsMaxMb: _3, ...connection } = busFields;

/** For a service that needs no broker but for nats:// models. */
export const modelBrokerFields = {
  ...connection,
  natsUrl: z
    .string()
    .default("")
    .describe("NATS servers of nats:// models, by comma; empty = none"),
};
