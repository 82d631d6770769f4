import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { readEnvironment } from "@stagecraft/config";
import { StagecraftError } from "@stagecraft/core";
import { z } from "zod";

/** A user's `exec` in a kubeconfig. */
export const execSchema = z.looseObject({
  apiVersion: z.string().default("client.authentication.k8s.io/v1"),
  command: z.string(),
  args: z.array(z.string()).nullish(),
  env: z.array(z.object({ name: z.string(), value: z.string() })).nullish(),
});

/** What a plugin gives. */
export interface ExecStatus {
  token?: string;
  clientCertificateData?: string;
  clientKeyData?: string;
}

/**
 * Runs a credential plugin, as cloud providers' are: client.authentication.k8s.io ExecCredential. Its settings
 * travel in the environment alone: other users of the machine can read command lines.
 */
export async function runPlugin({
  apiVersion,
  command,
  args,
  env,
}: z.infer<typeof execSchema>): Promise<ExecStatus> {
  const info = { apiVersion, kind: "ExecCredential", spec: { interactive: false } };
  const settings = Object.fromEntries((env ?? []).map(({ name, value }) => [name, value]));
  const environment = {
    ...readEnvironment(),
    ...settings,
    KUBERNETES_EXEC_INFO: JSON.stringify(info),
  };
  try {
    const { stdout } = await promisify(execFile)(command, [...(args ?? [])], { env: environment });
    return (JSON.parse(stdout) as { status?: ExecStatus }).status ?? {};
  } catch (cause) {
    const { reason } = StagecraftError.from(cause);
    throw new StagecraftError(
      "unauthenticated",
      `the kubeconfig's ${command} gave no credentials: ${reason.replace(/^Command failed: .*/, "it failed")}`,
      { cause },
    );
  }
}
