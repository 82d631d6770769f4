import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { environmentVariable, loadConfigFile } from "@stagecraft/config";
import { StagecraftError } from "@stagecraft/core";
import { z } from "zod";
import { execSchema, runPlugin } from "./credential-plugin.js";

/** As whom a server is called. */
export interface KubeIdentity {
  cert: string | undefined;
  key: string | undefined;
  token: string | undefined;
}

/** How an API server is reached, and as whom. */
export interface KubeAccess extends KubeIdentity {
  server: string;
  namespace: string | undefined;
  ca: string | undefined;
  /** Asks anew who we are, where that may change: a plugin, a file with a token. */
  renew?: () => Promise<KubeIdentity>;
}

export interface KubeAccessOptions {
  /** Default: $KUBECONFIG, ~/.kube/config, and inside of a pod its service account. */
  kubeconfig?: string | undefined;
  /** Default: the file's current one. */
  context?: string | undefined;
}

const text = z.string().optional();
const named = <T extends z.ZodType>(name: string, content: T) =>
  z.array(z.looseObject({ name: z.string(), [name]: content })).default([]);
const user = z.looseObject({
  "client-certificate": text,
  "client-certificate-data": text,
  "client-key": text,
  "client-key-data": text,
  token: text,
  tokenFile: text,
  exec: execSchema.optional(),
});
const cluster = z.looseObject({
  server: z.string(),
  "certificate-authority": text,
  "certificate-authority-data": text,
});
const context = z.looseObject({ cluster: z.string(), user: z.string(), namespace: text });
const schema = z.looseObject({
  "current-context": text,
  clusters: named("cluster", cluster),
  users: named("user", user),
  contexts: named("context", context),
});

const ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

/** Reads a kubeconfig, or a pod's own account. Throws `not_found` saying what was looked for. */
export async function readKubeAccess(options: KubeAccessOptions = {}): Promise<KubeAccess> {
  const file = options.kubeconfig ?? environmentVariable("KUBECONFIG");
  const usual = join(homedir(), ".kube", "config");
  if (file !== undefined || existsSync(usual)) return fromFile(file ?? usual, options.context);
  const host = environmentVariable("KUBERNETES_SERVICE_HOST");
  if (host !== undefined && existsSync(`${ACCOUNT}/token`)) return ownAccount(host);
  throw new StagecraftError(
    "not_found",
    `no cluster: neither --kubeconfig nor KUBECONFIG nor ${usual}, and this is no pod`,
  );
}

async function ownAccount(host: string): Promise<KubeAccess> {
  const port = environmentVariable("KUBERNETES_SERVICE_PORT") ?? "443";
  const read = async (name: string) => (await readFile(`${ACCOUNT}/${name}`, "utf8")).trim();
  const [ca, namespace] = await Promise.all(["ca.crt", "namespace"].map(read));
  const server = `https://${host.includes(":") ? `[${host}]` : host}:${port}`;
  const renew = async () => ({ token: await read("token"), cert: undefined, key: undefined });
  return { server, ca, namespace, ...(await renew()), renew };
}

async function fromFile(file: string, wanted: string | undefined): Promise<KubeAccess> {
  const { values } = await loadConfigFile(file);
  const config = schema.parse(values);
  const name = wanted ?? config["current-context"] ?? "";
  const find = <T>(kind: "clusters" | "users" | "contexts", part: string, of: string) => {
    const found = config[kind].find((each) => each.name === of) as
      Record<string, unknown> | undefined;
    if (found) return found[part] as T;
    const known = config[kind].map((each) => each.name).join(", ") || "none";
    throw new StagecraftError(
      "not_found",
      `${file} has no ${part} ${JSON.stringify(of)}; it has ${known}`,
    );
  };
  const chosen = find<z.infer<typeof context>>("contexts", "context", name);
  const { server, ...trust } = find<z.infer<typeof cluster>>("clusters", "cluster", chosen.cluster);
  const who = find<z.infer<typeof user>>("users", "user", chosen.user);
  const pem = async (data: string | undefined, path: string | undefined) => {
    if (data !== undefined) return Buffer.from(data, "base64").toString("utf8");
    return path === undefined ? undefined : readFile(resolve(dirname(file), path), "utf8");
  };
  const renew = async (): Promise<KubeIdentity> => {
    const plugin = who.exec && (await runPlugin(who.exec));
    const tokenFile = who.tokenFile && (await readFile(who.tokenFile, "utf8")).trim();
    const cert = await pem(who["client-certificate-data"], who["client-certificate"]);
    const key = await pem(who["client-key-data"], who["client-key"]);
    return {
      cert: plugin?.clientCertificateData ?? cert,
      key: plugin?.clientKeyData ?? key,
      token: plugin?.token ?? who.token ?? tokenFile,
    };
  };
  const ca = await pem(trust["certificate-authority-data"], trust["certificate-authority"]);
  const changes = who.exec !== undefined || who.tokenFile !== undefined;
  const access = { server, namespace: chosen.namespace, ca, ...(await renew()) };
  return changes ? { ...access, renew } : access;
}
