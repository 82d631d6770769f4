import { StagecraftError } from "@stagecraft/core";
import type { BusSettings, ServerSettings } from "@stagecraft/service-kit";
import type { ModelStoreSettings } from "./fields.js";
import type { ModelUrl } from "./model-url.js";
import { createNatsStore } from "./nats-store.js";
import type { RemoteStore } from "./remote-store.js";
import { createS3Store } from "./s3/s3-store.js";

/** What it takes to reach a store of either kind. */
export type ConnectionSettings = Omit<ModelStoreSettings, "modelsCache"> &
  Omit<BusSettings, "natsReplicas" | "taskAckWaitMs" | "weightsMaxMb"> &
  Partial<Pick<BusSettings, "natsReplicas">> &
  Pick<ServerSettings, "allowPlaintext"> & {
    /** How long a broker that is not up yet is waited for; default 10 s. */
    connectTimeoutMs?: number;
  };

/** The same, and where models are kept that come from there. */
export type StoreSettings = ConnectionSettings & Pick<ModelStoreSettings, "modelsCache">;

/** The store that a URL is in. Throws `invalid_argument` naming the settings that are missing. */
export async function openModelStore(
  { scheme, bucket }: Pick<ModelUrl, "scheme" | "bucket">,
  settings: ConnectionSettings,
): Promise<RemoteStore> {
  if (scheme === "s3") return openS3(bucket, settings);
  if (settings.natsUrl === "") {
    throw new StagecraftError(
      "invalid_argument",
      "models of nats:// need natsUrl, the broker's address",
    );
  }
  const { deployment, natsReplicas: replicas = 1, connectTimeoutMs } = settings;
  const wait = connectTimeoutMs === undefined ? {} : { connectTimeoutMs };
  // Every command that takes a model is here at its start; a client of NATS loads for long.
  const { createJetStreamBus, modelsBucket } = await import("@stagecraft/bus");
  const { busOptions } = await import("@stagecraft/service-kit");
  const bus = await createJetStreamBus({ ...busOptions(settings), ...wait, name: "models" });
  const store = createNatsStore({ bus, bucket: modelsBucket(deployment), replicas });
  return { ...store, [Symbol.asyncDispose]: () => bus.close() };
}

function openS3(bucket: string, settings: ConnectionSettings): RemoteStore {
  const { s3Region: region, s3AccessKeyId, s3SecretAccessKey, s3SessionToken } = settings;
  const endpoint = settings.s3Endpoint || `https://s3.${region}.amazonaws.com`;
  if (s3AccessKeyId === "" || s3SecretAccessKey === "") {
    throw new StagecraftError(
      "invalid_argument",
      `s3://${bucket}: set s3AccessKeyId and s3SecretAccessKey (as a variable …_S3_SECRET_ACCESS_KEY or …_FILE)`,
    );
  }
  checkEndpoint(endpoint, settings.allowPlaintext);
  const credentials = {
    accessKeyId: s3AccessKeyId,
    secretAccessKey: s3SecretAccessKey,
    ...(s3SessionToken === "" ? {} : { sessionToken: s3SessionToken }),
  };
  return createS3Store({ endpoint, region, bucket, credentials });
}

function checkEndpoint(endpoint: string, allowPlaintext: boolean): void {
  if (!URL.canParse(endpoint)) {
    throw new StagecraftError("invalid_argument", `s3Endpoint ${endpoint} is no URL`);
  }
  const { protocol, hostname } = new URL(endpoint);
  const isLoopback = ["127.0.0.1", "localhost", "[::1]"].includes(hostname);
  if (protocol === "https:" || isLoopback || allowPlaintext) return;
  throw new StagecraftError(
    "failed_precondition",
    `s3Endpoint ${endpoint} has no TLS: models would travel in the clear; use https, or set allowPlaintext if the network is trusted`,
  );
}
