import type { JetStreamOptions } from "@stagecraft/bus";
import type { AuthOptions, RpcClientOptions, RpcServerOptions } from "@stagecraft/rpc";
import type { z } from "zod";
import type { busFields, callFields, engineFields, serverFields } from "./fields.js";

/** Parsed `serverFields`. */
export type ServerSettings = Fields<ReturnType<typeof serverFields>>;
/** Parsed `callFields`. */
export type CallSettings = Fields<typeof callFields>;
/** Parsed `busFields`. */
export type BusSettings = Fields<typeof busFields>;
/** Parsed `engineFields`. */
export type EngineSettings = Fields<typeof engineFields>;

type Fields<S extends z.ZodRawShape> = z.infer<z.ZodObject<S>>;

/** What `createRpcServer` needs of the settings. */
export function serverOptions(config: ServerSettings): RpcServerOptions {
  const { host, port, probePort, allowPlaintext, reflection, tlsClientCa, auditFile } = config;
  const auth = authOptions(config);
  const quotas = config.callQuotas.map((text) => text.split("="));
  const tls = {
    certFile: config.tlsCert,
    keyFile: config.tlsKey,
    ...(tlsClientCa === "" ? {} : { clientCaFile: tlsClientCa }),
  };
  return {
    host,
    port,
    allowPlaintext,
    reflection,
    ...(config.tlsCert === "" ? {} : { tls }),
    ...(auth ? { auth } : {}),
    ...(quotas.length === 0
      ? {}
      : { callQuotas: Object.fromEntries(quotas.map(([name, value]) => [name!, Number(value)])) }),
    ...(auditFile === "" ? {} : { auditFile }),
    ...(probePort === 0 ? {} : { probe: { host, port: probePort } }),
  };
}

function authOptions({ tokens, certRoles }: ServerSettings): AuthOptions | undefined {
  if (tokens.length === 0 && certRoles.length === 0) return undefined;
  return {
    ...(tokens.length > 0 ? { tokens } : {}),
    ...(certRoles.length > 0 ? { certRoles } : {}),
  };
}

/** What `createRpcClient` needs of the settings. */
export function clientOptions(
  config: CallSettings & Pick<ServerSettings, "allowPlaintext">,
): Pick<RpcClientOptions<never>, "tls" | "token" | "allowPlaintext"> {
  const { callToken, callTlsServerName: serverName, allowPlaintext } = config;
  const tls = tlsFiles(config.callTlsCa, config.callTlsCert, config.callTlsKey);
  return {
    allowPlaintext,
    ...(callToken === "" ? {} : { token: callToken }),
    ...(tls ? { tls: { ...tls, ...(serverName === "" ? {} : { serverName }) } } : {}),
  };
}

/** What `createJetStreamBus` needs of the settings, a name apart. */
export function busOptions(
  config: BusSettings & Pick<ServerSettings, "allowPlaintext">,
): Pick<JetStreamOptions, "servers" | "token" | "user" | "password" | "tls" | "allowPlaintext"> {
  const { natsUrl, natsToken, natsUser, natsPassword, allowPlaintext } = config;
  const tls = tlsFiles(config.natsTlsCa, config.natsTlsCert, config.natsTlsKey);
  return {
    servers: natsUrl.split(","),
    allowPlaintext,
    ...(natsToken === "" ? {} : { token: natsToken }),
    ...(natsUser === "" ? {} : { user: natsUser, password: natsPassword }),
    ...(tls ? { tls } : {}),
  };
}

/** Undefined when nothing is set: plaintext. */
function tlsFiles(ca: string, cert: string, key: string) {
  if (ca === "" && cert === "" && key === "") return undefined;
  return {
    ...(ca === "" || ca === "system" ? {} : { caFile: ca }),
    ...(cert === "" ? {} : { certFile: cert }),
    ...(key === "" ? {} : { keyFile: key }),
  };
}

/** What `initEngine` needs of the settings. */
export function engineOptions({ engine, threads }: EngineSettings): {
  engine: EngineSettings["engine"];
  numThreads?: number;
} {
  return { engine, ...(threads > 0 ? { numThreads: threads } : {}) };
}
