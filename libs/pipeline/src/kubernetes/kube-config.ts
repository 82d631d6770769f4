import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { environmentVariable, loadConfigFile } from "@stagecraft/config";
import { StagecraftError } from "@stagecraft/core";
import { z } from "zod";

/** How an API server is reached, and as whom. */
export interface KubeAccess {
  server: string;
  namespace: string | undefined;
  ca: string | undefined;
  cert: string | undefined;
  key: string | undefined;
  token: string | undefined;
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
const exec = z.looseObject({
  command: z.string(),
  args: z.array(z.string()).nullish(),
  env: z.array(z.object({ name: z.string(), value: z.string() })).nullish(),
});
const user = z.looseObject({
  "client-certificate": text,
  "client-certificate-data": text,
  "client-key": text,
  "client-key-data": text,
  token: text,
  tokenFile: text,
  exec: exec.optional(),
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
  const read = (name: string) => readFile(`${ACCOUNT}/${name}`, "utf8");
  const [token, ca, namespace] = await Promise.all(["token", "ca.crt", "namespace"].map(read));
  const server = `https://${host.includes(":") ? `[${host}]` : host}:${port}`;
  return { server, ca, namespace, token: token!.trim(), cert: undefined, key: undefined };
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
  const plugin = who.exec && (await runPlugin(who.exec));
  const tokenFile = who.tokenFile && (await readFile(who.tokenFile, "utf8")).trim();
  const cert = await pem(who["client-certificate-data"], who["client-certificate"]);
  const key = await pem(who["client-key-data"], who["client-key"]);
  return {
    server,
    namespace: chosen.namespace,
    ca: await pem(trust["certificate-authority-data"], trust["certificate-authority"]),
    cert: plugin?.clientCertificateData ?? cert,
    key: plugin?.clientKeyData ?? key,
    token: plugin?.token ?? who.token ?? tokenFile,
  };
}

interface ExecStatus {
  token?: string;
  clientCertificateData?: string;
  clientKeyData?: string;
}

/** A credential plugin, as cloud providers' are: client.authentication.k8s.io ExecCredential. */
async function runPlugin({ command, args, env }: z.infer<typeof exec>): Promise<ExecStatus> {
  const settings = (env ?? []).map(({ name, value }) => `${name}=${value}`);
  // env(1) adds to the environment, which is not ours to read.
  const [program, ...rest] = settings.length > 0 ? ["env", ...settings, command] : [command];
  try {
    const { stdout } = await promisify(execFile)(program!, [...rest, ...(args ?? [])]);
    return (JSON.parse(stdout) as { status?: ExecStatus }).status ?? {};
  } catch (cause) {
    const { reason } = StagecraftError.from(cause);
    throw new StagecraftError(
      "unauthenticated",
      `the kubeconfig's ${command} gave no credentials: ${reason.replace(/^Command failed: .*/, "it failed")}`,
      {
        cause,
      },
    );
  }
}
