import { policy, reward } from "@stagecraft/contracts";
import { connectTrainer, type TrainerClient } from "@stagecraft/client";
import { createRpcClient } from "@stagecraft/rpc";
import { BROKER_WAIT_MS, clientOptions } from "@stagecraft/service-kit";
import type { Logger } from "@stagecraft/telemetry";
import type { GatewayConfig } from "./config.js";
import { createOidcProvider } from "./auth/oidc/provider.js";
import type { PersonRole } from "./http/api/index.js";
import type { HttpServerOptions } from "./http/server.js";
import { openPeopleServer } from "./http/people-server.js";
import { checkPublishModel, createPublisher } from "./models/publish-current.js";
import type { RegistryDesk } from "./models/registry-view.js";
import { fixedModels } from "./openai/index.js";
import { openRegistryAt } from "@stagecraft/model-store";
import { createRunCatalog } from "./runs/run-catalog.js";
import type { Database } from "./store/database.js";

/** The pages as the configuration wants them; undefined = none. */
export async function startPages(
  config: GatewayConfig,
  { database, logger }: { database: Database; logger: Logger },
): Promise<{ close(): Promise<void> } | undefined> {
  const { httpHost: host, httpPort: port, httpTlsCert: certFile, httpTlsKey: keyFile } = config;
  if (port === -1) return undefined;
  const options = clientOptions(config);
  const policies = named(config.models, (address) =>
    createRpcClient(policy.PolicyServiceClient, address, options),
  );
  const rewards = named(config.rewardModels, (address) =>
    createRpcClient(reward.RewardServiceClient, address, options),
  );
  const { runsDirs: dirs, trainerAddress } = config;
  const trainer = trainerAddress === "" ? undefined : connectTrainer(trainerAddress, options);
  checkPublishModel(config);
  const registry = config.registry === "" ? undefined : await registryDesk(config, trainer);
  const pages = await openPeopleServer({
    ...{ database, logger, host, port, publicUrl: config.httpPublicUrl },
    trustedProxies: config.httpTrustedProxies,
    defaults: { ratersPerComparison: config.ratersPerComparison },
    models: fixedModels(policies, rewards),
    runs: createRunCatalog({ dirs, trainer, trainerAddress }),
    graceMs: config.graceMs,
    ...oidcOf(config),
    ...(registry && { registry }),
    ...(certFile !== "" && { tls: { certFile, keyFile } }),
  });
  logger.info({ pages: pages.origin }, "pages are served");
  // Whoever reads this log starts the process; the link works once, and only until somebody operates.
  if (pages.signInLink) logger.info({ link: pages.signInLink }, "sign in the first operator");
  return {
    async close() {
      await pages.server.close();
      await registry?.close();
      trainer?.close();
      for (const client of [...Object.values(policies), ...Object.values(rewards)]) client.close();
    },
  };
}

/**
 * Which version is in use is told to whoever reads the registry. Policies follow their trainer: it is asked to
 * publish the versions of `publishModel`.
 */
async function registryDesk(
  config: GatewayConfig,
  client: TrainerClient | undefined,
): Promise<RegistryDesk & { close(): Promise<void> }> {
  const { publishModel } = config;
  const wait = { connectTimeoutMs: BROKER_WAIT_MS };
  const registry = await openRegistryAt(config.registry, () => ({ ...config, ...wait }));
  const publish = createPublisher(publishModel, { registry, client: client! });
  return {
    registry,
    served: publishModel === "" ? [] : [publishModel],
    async onChange(version) {
      if (version.name === publishModel) await publish();
    },
    close: async () => registry[Symbol.asyncDispose](),
  };
}

/** `NAME=ADDRESS` … as what is behind each name. */
function named<C>(entries: readonly string[], connect: (address: string) => C): Record<string, C> {
  const split = entries.map((entry) => {
    const at = entry.indexOf("=");
    return [entry.slice(0, at), connect(entry.slice(at + 1))] as const;
  });
  return Object.fromEntries(split);
}

function oidcOf(config: GatewayConfig): Pick<HttpServerOptions, "oidc"> {
  const { oidcIssuer: issuer, oidcClientId: clientId, oidcClientSecret: clientSecret } = config;
  if (issuer === "") return {};
  const provider = createOidcProvider({ issuer, clientId, clientSecret, now: () => new Date() });
  const roles = config.oidcRoles.map((rule) => {
    const at = rule.lastIndexOf("=");
    return [rule.slice(0, at), rule.slice(at + 1).split("+") as PersonRole[]] as const;
  });
  const rules = { claim: config.oidcRolesClaim, roles: new Map(roles) };
  return { oidc: { provider, issuer, name: config.oidcName, rules } };
}
