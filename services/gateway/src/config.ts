import { modelBrokerFields, modelStoreFields } from "@stagecraft/model-store";
import { callFields, loadServiceConfig, serverFields } from "@stagecraft/service-kit";
import { busFields, text, texts, whole } from "@stagecraft/fields";
import { z } from "zod";

/** Models go from the store to the policies by their trainer: nothing is kept here. */
const { modelsCache: _, ...storeFields } = modelStoreFields;

const ROLE_RULE = /^.+=(rater|writer|operator|admin)(\+(rater|writer|operator|admin))*$/;

/** Configuration of the gateway service. */
export const gatewaySchema = z.strictObject({
  feedbackDir: text().describe(
    "Folder of the embedded database, and of the journal of older gateways",
  ),
  databaseUrl: text("")
    .describe("PostgreSQL, such as postgres://user:password@host/name; empty = embedded")
    .meta({ secret: true }),
  ratersPerComparison: whole({ min: 1, max: 100, default: 1 }).describe(
    "People who rank each comparison, until an operator sets another number",
  ),
  httpHost: text("127.0.0.1").describe("Address of the pages"),
  httpPort: whole({ min: -1, max: 65535, default: 8080 }).describe(
    "Port of the pages; 0 = any free one, -1 = no pages",
  ),
  httpTlsCert: text("").describe("PEM certificate of the pages; empty = plaintext"),
  httpTlsKey: text("").describe("PEM key of that certificate"),
  httpPublicUrl: text("").describe(
    "Where people find the pages, such as https://rank.example.org; empty = as they listen",
  ),
  httpTrustedProxies: texts([]).describe(
    "Addresses of proxies with TLS in front of the pages, whose headers are believed",
  ),
  oidcIssuer: text("").describe(
    "OpenID Connect provider at which people sign in, its https URL; empty = none",
  ),
  oidcClientId: text("").describe("What this gateway is called there"),
  oidcClientSecret: text("")
    .describe("Its secret there; empty = a public client")
    .meta({ secret: true }),
  oidcName: z.string().default("your organisation").describe("What people call the provider"),
  oidcRolesClaim: z.string().default("groups").describe("Claim that gives roles"),
  oidcRoles: z
    .array(z.string().regex(ROLE_RULE, "VALUE=ROLE+ROLE"))
    .default([])
    .describe(
      "Roles by that claim's values, VALUE=ROLE+ROLE of rater, writer, operator, admin; empty = people are invited by their e-mail address",
    ),
  models: z
    .array(z.string().regex(/^[^=]+=.+$/, "NAME=ADDRESS"))
    .default([])
    .describe("Policies that answer on the pages and the API, NAME=ADDRESS"),
  rewardModels: z
    .array(z.string().regex(/^[^=]+=.+$/, "NAME=ADDRESS"))
    .default([])
    .describe("Reward models that score over the API, NAME=ADDRESS"),
  registry: text("").describe(
    "Registry of models that operators see and choose from: a file (models.json), s3://BUCKET/FOLDER or nats://FOLDER; empty = none",
  ),
  publishModel: text("").describe(
    "Name in the registry whose version in use the trainer's policies serve; empty = none",
  ),
  runsDirs: texts([]).describe(
    "Folders of run directories that operators may look at on the pages",
  ),
  trainerAddress: text("").describe("Trainer whose runs the pages show and steer; empty = none"),
  ...callFields,
  ...serverFields(50055),
  ...storeFields,
  ...modelBrokerFields,
  natsReplicas: busFields.natsReplicas,
});

/** `GatewayConfig` of the service's configuration. */
export type GatewayConfig = z.infer<typeof gatewaySchema>;

/** See `loadServiceConfig`. */
export function loadGatewayConfig(args: readonly string[]): Promise<Readonly<GatewayConfig>> {
  return loadServiceConfig(gatewaySchema, { service: "gateway", args });
}
