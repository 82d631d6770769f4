import { z } from "zod";
import { text, whole } from "./fields.js";

/** Settings of a process that meets others on the bus. */
export const busFields = {
  natsUrl: text("nats://127.0.0.1:4222").describe("NATS servers, by comma"),
  natsToken: text("").describe("Token for NATS; empty = none").meta({ secret: true }),
  natsUser: text("").describe("User at NATS; empty = none"),
  natsPassword: text("").describe("Password of that user").meta({ secret: true }),
  natsTlsCa: text("").describe(
    'PEM authority of NATS, "system" for the usual ones; empty = plaintext',
  ),
  natsTlsCert: text("").describe("PEM certificate shown to NATS (mTLS)"),
  natsTlsKey: text("").describe("PEM key of that certificate"),
  natsReplicas: whole({ min: 1, max: 5, default: 1 }).describe(
    "Copies of every stream and bucket, 3 with three NATS servers; alike everywhere",
  ),
  deployment: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,48}$/)
    .default("main")
    .describe("Deployment's name on the bus; its parts meet there"),
  weightsMaxMb: whole({ default: 0 }).describe(
    "Size of the weights' objects on NATS, MiB, alike everywhere; 0 = the trainer makes it grow",
  ),
  taskAckWaitMs: whole({ min: 300, default: 10_000 }).describe(
    "A silent worker's prompt task goes to another after this, ms; alike everywhere",
  ),
};
