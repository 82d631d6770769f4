import { loadServiceConfig, serverFields } from "@stagecraft/service-kit";
import { z } from "zod";

/** Configuration of the gateway service. */
export const gatewaySchema = z.strictObject({
  feedbackDir: z
    .string()
    .min(1)
    .describe("Folder of the embedded database, and of the journal of older gateways"),
  databaseUrl: z
    .string()
    .default("")
    .describe("PostgreSQL, such as postgres://user:password@host/name; empty = embedded")
    .meta({ secret: true }),
  ratersPerComparison: z
    .int()
    .min(1)
    .max(100)
    .default(1)
    .describe("People who rank each comparison, until an operator sets another number"),
  ...serverFields(50055),
});

/** `GatewayConfig` of the service's configuration. */
export type GatewayConfig = z.infer<typeof gatewaySchema>;

/** See `loadServiceConfig`. */
export function loadGatewayConfig(args: readonly string[]): Promise<Readonly<GatewayConfig>> {
  return loadServiceConfig(gatewaySchema, { service: "gateway", args });
}
