import type { busFields } from "@stagecraft/fields";
import type { JetStreamOptions, TopologyOptions } from "@stagecraft/bus";
import { liveText, parseText } from "@stagecraft/config";
import type { AuthOptions, RpcClientOptions, RpcLimits, RpcServerOptions } from "@stagecraft/rpc";
import type { z } from "zod";
import type { SecretFiles } from "./load-service-config.js";
import type { callFields, serverFields } from "./fields.js";

/** Parsed `serverFields`. */
export type ServerSettings = Fields<ReturnType<typeof serverFields>>;
/** Parsed `callFields`. */
export type CallSettings = Fields<typeof callFields>;
/** Parsed `busFields`. */
export type BusSettings = Fields<typeof busFields>;

type Fields<S extends z.ZodRawShape> = z.infer<z.ZodObject<S>>;

/** What `createRpcServer` needs of the settings; a service may add limits of its own. */
export function serverOptions(
  config: ServerSettings & SecretFiles,
  limits: RpcLimits = {},
): RpcServerOptions {
  const { host, port, probePort, allowPlaintext, reflection, tlsClientCa, auditFile } = config;
  const { receiveTimeoutMs, streamIdleMs } = config;
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
    limits: { receiveTimeoutMs, streamIdleMs, ...limits },
    ...(config.tlsCert === "" ? {} : { tls }),
    ...(auth ? { auth } : {}),
    ...(quotas.length === 0
      ? {}
      : { callQuotas: Object.fromEntries(quotas.map(([name, value]) => [name!, Number(value)])) }),
    ...(auditFile === "" ? {} : { auditFile }),
    ...(probePort === 0 ? {} : { probe: { host, port: probePort } }),
  };
}

function authOptions(config: ServerSettings & SecretFiles): AuthOptions | undefined {
  const { tokens, certRoles, secretFiles } = config;
  if (tokens.length === 0 && certRoles.length === 0) return undefined;
  const file = secretFiles?.["tokens"];
  return {
    ...(tokens.length > 0
      ? { tokens: file === undefined ? tokens : liveTokens(file, tokens) }
      : {}),
    ...(certRoles.length > 0 ? { certRoles } : {}),
  };
}

/** The tokens that the file holds now. */
function liveTokens(file: string, initial: readonly string[]): () => readonly string[] {
  const read = liveText(file, "");
  let text = "";
  let tokens = initial;
  return () => {
    const next = read();
    if (next !== text) tokens = listOf(next);
    text = next;
    return tokens;
  };
}

function listOf(text: string): string[] {
  const list = parseText({ kind: "array", type: "string[]", name: "tokens", flag: "" }, text);
  return Array.isArray(list) ? list.map(String) : [];
}

/** What `createRpcClient` needs of the settings. */
export function clientOptions(
  config: CallSettings & Pick<ServerSettings, "allowPlaintext"> & SecretFiles,
): Pick<RpcClientOptions<never>, "tls" | "token" | "allowPlaintext"> {
  const { callToken, callTlsServerName: serverName, allowPlaintext } = config;
  const file = config.secretFiles?.["callToken"];
  const tls = tlsFiles(config.callTlsCa, config.callTlsCert, config.callTlsKey);
  return {
    allowPlaintext,
    ...(callToken === "" ? {} : { token: file ? liveText(file, callToken) : callToken }),
    ...(tls ? { tls: { ...tls, ...(serverName === "" ? {} : { serverName }) } } : {}),
  };
}

type ConnectionField = Exclude<
  keyof BusSettings,
  "natsReplicas" | "deployment" | "taskAckWaitMs" | "weightsMaxMb"
>;
/** For the broker, which may start at the same time as a service, to be up. */
export const BROKER_WAIT_MS = 60_000;

type BusSecrets = "token" | "tokenFile" | "user" | "password" | "passwordFile";

/** What `createJetStreamBus` needs of the settings, a name apart. */
export function busOptions(
  config: Pick<BusSettings, ConnectionField> & Pick<ServerSettings, "allowPlaintext"> & SecretFiles,
): Pick<JetStreamOptions, "servers" | "tls" | "allowPlaintext" | BusSecrets> {
  const { natsUrl, natsToken, natsUser, natsPassword, allowPlaintext, secretFiles = {} } = config;
  const { natsToken: tokenFile, natsPassword: passwordFile } = secretFiles;
  const tls = tlsFiles(config.natsTlsCa, config.natsTlsCert, config.natsTlsKey);
  return {
    servers: natsUrl.split(","),
    allowPlaintext,
    ...(natsToken === "" ? {} : { token: natsToken }),
    ...(natsUser === "" ? {} : { user: natsUser, password: natsPassword }),
    ...(tokenFile === undefined ? {} : { tokenFile }),
    ...(passwordFile === undefined ? {} : { passwordFile }),
    ...(tls ? { tls } : {}),
  };
}

/** What `ensureTopology` needs of the settings. */
export function topologyOptions(
  config: Pick<BusSettings, "natsReplicas" | "taskAckWaitMs" | "weightsMaxMb">,
): TopologyOptions {
  const { natsReplicas: replicas, taskAckWaitMs, weightsMaxMb } = config;
  const weightsMaxBytes = weightsMaxMb * 1024 ** 2;
  return { replicas, taskAckWaitMs, ...(weightsMaxMb === 0 ? {} : { weightsMaxBytes }) };
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
