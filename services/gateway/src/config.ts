import { loadServiceConfig, serverFields } from "@stagecraft/service-kit";
import { z } from "zod";

/** Configuration of the gateway service. */
export const gatewaySchema = z.strictObject({
  feedbackDir: z.string().min(1).describe("Folder of the feedback store"),
  ratersPerComparison: z
    .int()
    .min(1)
    .max(100)
    .default(1)
    .describe("A comparison is handed out until so many people have ranked it"),
  ...serverFields(50055),
});

/** `GatewayConfig` of the service's configuration. */
export type GatewayConfig = z.infer<typeof gatewaySchema>;

/** See `loadServiceConfig`. */
export function loadGatewayConfig(args: readonly string[]): Promise<Readonly<GatewayConfig>> {
  return loadServiceConfig(gatewaySchema, { service: "gateway", args });
}
