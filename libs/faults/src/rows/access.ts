import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { reward } from "@stagecraft/contracts";
import { createRpcClient, type RpcClientOptions } from "@stagecraft/rpc";
import { tempDir, waitFor } from "@stagecraft/testing";
import type { FaultContext, FaultResult, FaultRow } from "../fault-row.js";
import { Cleanup } from "../world/cleanup.js";
import { startService } from "../world/service-process.js";
import { writeTinyWorld } from "../world/tiny-world.js";

const TOKEN = "the right token of this test";

interface Stranger {
  tls?: RpcClientOptions<never>["tls"];
  token?: string;
  /** What the server's log says of it. */
  logged: RegExp;
}

/** Strangers of every kind at a server that asks for certificate and token. */
async function run({ count, mutations, progress }: FaultContext): Promise<FaultResult> {
  await using cleanup = new Cleanup();
  const { path } = cleanup.use(await tempDir("stagecraft-access-"));
  makeCertificates(path);
  const file = (name: string) => join(path, name);
  const world = await writeTinyWorld(path);
  const flags = {
    models: `rm=${world.rewardDir}`,
    ...{ engine: "cpu", threads: 1, tokens: TOKEN },
    ...{ "tls-cert": file("server.crt"), "tls-key": file("server.key") },
    "tls-client-ca": file("ca.crt"),
  };
  const server = cleanup.use(await startService("reward-model", { flags, mutations }));
  const address = await server.serving();
  const caFile = file("ca.crt");
  const shows = (name: string) => ({
    ...{ caFile, serverName: "localhost" },
    ...{ certFile: file(`${name}.crt`), keyFile: file(`${name}.key`) },
  });
  const handshake = /handshake refused/;
  const strangers: Record<string, Stranger> = {
    plaintext: { logged: /./ },
    "no certificate": { tls: { caFile, serverName: "localhost" }, token: TOKEN, logged: handshake },
    "certificate of another authority": { tls: shows("foreign"), token: TOKEN, logged: handshake },
    "expired certificate": { tls: shows("expired"), token: TOKEN, logged: handshake },
    "no token": { tls: shows("client"), logged: /bearer token is required/ },
    "wrong token": {
      tls: shows("client"),
      token: `${TOKEN}!`,
      logged: /bearer token is not valid/,
    },
  };
  const problems: string[] = [];
  const score = async ({ tls, token }: Omit<Stranger, "logged">) => {
    const options = { token, timeoutMs: 5000, ...(tls ? { tls } : {}) };
    await using client = createRpcClient(reward.RewardServiceClient, address, options);
    const item = reward.ScoreInput.fromPartial({
      input: { $case: "tokens", value: { ids: [5, 6] } },
    });
    return await client.scoreBatch({
      model: { name: "", version: "" },
      items: [item],
      truncation: 1,
    });
  };
  const metrics = () => scored(/"metricsPort":(\d+)[^\n]*"serving"/.exec(server.output())![1]!);
  for (let i = 0; i < count; i++) {
    for (const [name, stranger] of Object.entries(strangers)) {
      const outcome = await score(stranger).then(
        () => "answered",
        (error: { code?: string }) => error.code ?? "internal",
      );
      const refused = outcome === "unavailable" || outcome === "unauthenticated";
      if (!refused) problems.push(`${name}: ${outcome}`);
    }
    progress(i + 1, count);
  }
  const before = await metrics();
  if (before !== 0) problems.push(`the model scored ${before} items for strangers`);
  await score({ tls: shows("client"), token: TOKEN });
  const after = await metrics();
  if (after !== 1) problems.push(`the model scored ${after} items for the one who may`);
  for (const [name, { logged }] of Object.entries(strangers)) {
    await waitFor(() => logged.test(server.output()), {
      timeoutMs: 5000,
      what: "a log line",
    }).catch(() => problems.push(`${name} is not in the log`));
  }
  const refusals = count * Object.keys(strangers).length;
  return { problems, figures: { refused: refusals, "items for strangers": before } };
}

/** The model's own count of what it scored. */
async function scored(metricsPort: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  const lines = text.split("\n").filter((line) => line.startsWith("stagecraft_reward_items_total"));
  return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

/** An authority `ca`, its `server`, `client` and `expired`, and a self-made `foreign`. */
function makeCertificates(dir: string): void {
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: dir, stdio: "pipe" });
  const ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  for (const name of ["ca", "foreign"]) {
    const out = ["-keyout", `${name}.key`, "-out", `${name}.crt`];
    openssl("req", "-x509", ...ec, ...out, "-subj", `/CN=${name}`, "-days", "2");
  }
  const sign = (name: string, ...dates: string[]) => {
    const out = ["-keyout", `${name}.key`, "-out", `${name}.csr`];
    const san = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
    openssl("req", ...ec, ...out, "-subj", `/CN=${name}`, ...san);
    const ca = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"];
    const io = ["-in", `${name}.csr`, "-out", `${name}.crt`];
    openssl("x509", "-req", ...io, ...ca, "-copy_extensions", "copy", ...dates);
  };
  sign("server", "-days", "2");
  sign("client", "-days", "2");
  sign("expired", "-days", "-1");
}

/** See `doc`. */
export const access: FaultRow = {
  name: "access",
  doc: "no certificate, one of another authority, an expired one, no token, a wrong token: no handler runs, the log says so",
  counts: { full: 20, short: 1 },
  run,
  controls: [
    {
      name: "tokens are not compared",
      file: "libs/rpc/dist/callers.js",
      find: "return callerOf(tokens(), authorization);",
      replace: 'return { name: "nobody", roles: EVERYTHING };',
      count: 1,
      expect: /no token: answered|scored \d+ items for strangers/,
    },
    {
      name: "certificates of clients are not asked for",
      file: "services/reward-model/dist/main.js",
      find: "serverOptions(config, limits)",
      replace: 'serverOptions({ ...config, tlsClientCa: "" }, limits)',
      count: 1,
      expect: /no certificate: answered/,
    },
  ],
};
