import { policy } from "@stagecraft/contracts";
import { createRpcClient } from "@stagecraft/rpc";
import { clientOptions } from "@stagecraft/service-kit";
import type { Logger } from "@stagecraft/telemetry";
import type { GatewayConfig } from "./config.js";
import { openPeopleServer } from "./http/people-server.js";
import { fixedModels } from "./openai/index.js";
import type { Database } from "./store/database.js";

/** The pages as the configuration wants them; undefined = none. */
export async function startPages(
  config: GatewayConfig,
  { database, logger }: { database: Database; logger: Logger },
): Promise<AsyncDisposable | undefined> {
  const { httpHost: host, httpPort: port, httpTlsCert: certFile, httpTlsKey: keyFile } = config;
  if (port === -1) return undefined;
  const clients = config.models.map((entry) => {
    const [name, address] = [
      entry.slice(0, entry.indexOf("=")),
      entry.slice(entry.indexOf("=") + 1),
    ];
    return [
      name,
      createRpcClient(policy.PolicyServiceClient, address, clientOptions(config)),
    ] as const;
  });
  const pages = await openPeopleServer({
    ...{ database, logger, host, port, publicUrl: config.httpPublicUrl },
    trustedProxies: config.httpTrustedProxies,
    defaults: { ratersPerComparison: config.ratersPerComparison },
    models: fixedModels(Object.fromEntries(clients)),
    ...(certFile !== "" && { tls: { certFile, keyFile } }),
  });
  logger.info({ pages: pages.origin }, "pages are served");
  // Whoever reads this log starts the process; the link works once, and only until somebody operates.
  if (pages.signInLink) logger.info({ link: pages.signInLink }, "sign in the first operator");
  return {
    async [Symbol.asyncDispose]() {
      await pages.server.close();
      for (const [, client] of clients) client.close();
    },
  };
}
