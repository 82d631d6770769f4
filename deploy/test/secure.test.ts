import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import {
  createJetStreamBus,
  deploymentTopology,
  modelsBucket,
  ensureTopology,
  type EventBus,
} from "@stagecraft/bus";
import { fromEnvironment } from "@stagecraft/config";
import { busOptions, type BusSettings } from "@stagecraft/service-kit";
import {
  freePort,
  hasNatsServer,
  makeCertificates,
  NATS_MISSING,
  startNatsServer,
  startProcess,
  tempDir,
  waitFor,
} from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { jobPod } from "./job-pod.js";
import { ELSEWHERE, EVERYTHING, render, RENDERER_MISSING } from "./render.js";
import { configOf, isService, SERVICES, settingsOf, type Settings } from "./settings.js";
import { find, serversOf, valueOf, type Workload } from "./workloads.js";
import type { Manifest } from "./schemas.js";

const PRODUCTION = "overlays/production";
const skipped = RENDERER_MISSING ? ` (skipped: ${RENDERER_MISSING})` : "";
const suite = describe.skipIf(RENDERER_MISSING !== undefined);
const noServer = hasNatsServer() ? "" : ` (skipped: ${NATS_MISSING})`;
const withNats = it.skipIf(noServer !== "");

const TLS = "/etc/stagecraft-tls";
const ours = (manifests: readonly Manifest[]) =>
  serversOf(manifests).filter(({ name }) => isService(name));

/** The Secret under a folder of a pod. */
function secretAt({ pod, container }: Workload, folder: string) {
  const mount = container.volumeMounts?.find(({ mountPath }) => mountPath === folder);
  return pod.volumes?.find(({ name }) => name === mount?.name)?.secret;
}

suite.each([PRODUCTION, EVERYTHING])(`TLS in %s${skipped}`, (path) => {
  it("is what every service speaks, and it calls nobody without", () => {
    const manifests = render(path);
    for (const workload of ours(manifests)) {
      const { name } = workload;
      const settings = settingsOf(manifests, workload) as Settings & Record<string, unknown>;
      const server = { tlsCert: `${TLS}/tls.crt`, tlsKey: `${TLS}/tls.key` };
      expect(settings, name).toMatchObject({ allowPlaintext: false, ...server });
      if ("callTlsCa" in settings) expect(settings["callTlsCa"], name).toBe(`${TLS}/ca.crt`);
      if (settings.natsUrl !== undefined) {
        const { natsTlsCa, natsTlsCert, natsTlsKey } = settings;
        expect([natsTlsCa, natsTlsCert, natsTlsKey], name).toEqual(
          ["ca.crt", "tls.crt", "tls.key"].map((file) => `${TLS}/${file}`),
        );
      }
      expect(secretAt(workload, TLS)?.secretName, name).toBe(`tls-${name}`);
    }
  });

  it("has a certificate for every server, with every name by which it is called", () => {
    const manifests = render(path);
    const called = ours(manifests).flatMap((workload) => {
      const { policyAddress, rewardAddress, natsUrl, models, rewardModels } = settingsOf(
        manifests,
        workload,
      );
      const served = workload.name === "gateway" ? [...models!, ...rewardModels!] : [];
      const named = served.map((entry) => entry.split("=")[1]);
      return [policyAddress, rewardAddress, natsUrl?.replace("nats://", ""), ...named].flatMap(
        (address) => address?.split(":")[0] ?? [],
      );
    });
    for (const name of new Set([...called, ...ours(manifests).map((one) => one.name)])) {
      const { secretName, dnsNames, usages } = certificateOf(manifests, name);
      expect(secretName).toBe(`tls-${name}`);
      expect(dnsNames).toEqual(
        expect.arrayContaining([
          name,
          `${name}.stagecraft`,
          `${name}.stagecraft.svc.cluster.local`,
        ]),
      );
      expect(usages).toEqual(expect.arrayContaining(["server auth", "client auth"]));
    }
    const { "cluster.conf": text = "" } = natsFiles(manifests);
    const routes = [...text.matchAll(/nats:\/\/([\w.-]+):/g)].map(([, host]) => host);
    expect(routes).toHaveLength(3);
    expect(certificateOf(manifests, "nats").dnsNames).toEqual(expect.arrayContaining(routes));
  });

  it("makes every certificate by an issuer that there is", () => {
    const manifests = render(path);
    const issued = manifests.filter(({ kind }) => kind === "Certificate");
    expect(issued).toHaveLength(8);
    for (const { spec } of issued) {
      find(manifests, "Issuer", (spec as CertificateSpec).issuerRef.name);
    }
  });
});

suite(`users of NATS${skipped}`, () => {
  it("are one for each service, which holds no other's password", () => {
    const manifests = render(PRODUCTION);
    for (const workload of ours(manifests)) {
      const { name } = workload;
      const settings = settingsOf(manifests, workload) as Settings & { natsUser?: string };
      const items = secretAt(workload, "/etc/stagecraft-nats")?.items;
      if (settings.natsUrl === undefined) expect(items, name).toBeUndefined();
      else
        expect([settings.natsUser, items], name).toEqual([name, [{ key: name, path: "password" }]]);
    }
  });

  it("are those of the servers also where their models are brought from", () => {
    const manifests = render(PRODUCTION);
    for (const name of ["policy", "reward-model"]) {
      const { pod, container } = ours(manifests).find((one) => one.name === name)!;
      const [bringer] = pod.initContainers!;
      const prefix = `STAGECRAFT_${name.toUpperCase().replace("-", "_")}_`;
      const access = /^STAGECRAFT_\w+_(NATS_(?!REPLICAS)|TLS|TOKENS|ALLOW)/;
      const own = container.env!.filter((one) => access.test(one.name));
      expect(own.length, prefix).toBeGreaterThan(6);
      expect(bringer?.env).toEqual(expect.arrayContaining(own));
      const mounts = container.volumeMounts!.filter(({ mountPath }) =>
        mountPath.startsWith("/etc"),
      );
      expect(bringer?.volumeMounts).toEqual(expect.arrayContaining(mounts));
    }
  });

  it("are set up by the admin before the trainer starts, with as many copies as servers", () => {
    const manifests = render(PRODUCTION);
    const trainer = ours(manifests).find(({ name }) => name === "trainer")!;
    const setup = trainer.containers.find(({ name }) => name === "nats-setup")!;
    const environment = Object.fromEntries(
      setup.env!.map((one) => [one.name, valueOf(manifests, one)]),
    );
    expect(environment).toMatchObject({ STAGECRAFT_NATS_USER: "admin", REPLICAS: "3" });
    expect(setup.command?.at(-1)).toContain('nats setup --replicas "$REPLICAS"');
  });

  withNats(`do their work by the rendered files and settings, over TLS${noServer}`, async () => {
    await using dir = await tempDir();
    const manifests = render(PRODUCTION);
    await using nats = await startSecuredNats(dir, manifests);
    const natsUrl = localUrl(nats);
    const as = (settings: object): Promise<EventBus> =>
      createJetStreamBus({
        ...busOptions({ allowPlaintext: false, natsUrl, ...settings } as BusSettings & {
          allowPlaintext: boolean;
        }),
        requestTimeoutMs: 2000,
      });
    const settings = (name: string) => ({
      ...settingsOf(
        manifests,
        ours(manifests).find((one) => one.name === name)!,
      ),
      natsUrl,
      natsPassword: `pw-${name}`,
      ...Object.fromEntries(
        [
          ["natsTlsCa", "ca.crt"],
          ["natsTlsCert", "tls.crt"],
          ["natsTlsKey", "tls.key"],
        ].map(([field, file]) => [field, dir.file(file!)]),
      ),
    });
    const topology = deploymentTopology("main");
    await using admin = await as({
      ...settings("trainer"),
      natsUser: "admin",
      natsPassword: "pw-admin",
    });
    await ensureTopology(admin, topology);
    await using trainer = await as(settings("trainer"));
    await using worker = await as(settings("rollout"));
    await using policy = await as(settings("policy"));
    for (const bus of [trainer, worker, policy]) await ensureTopology(bus, topology);
    await trainer.publish(topology.subjects.prompts, new Uint8Array([1]), { id: "t1" });
    await using tasks = await worker.consume(topology.promptsConsumer);
    await (await tasks.next())!.ack();
    await admin.ensureBucket(modelsBucket("main"), { startBytes: 2 ** 20 });
    await (await admin.objects(modelsBucket("main"))).put("m", new Uint8Array([1]));
    await using gateway = await as(settings("gateway"));
    await using rewardModel = await as(settings("reward-model"));
    for (const bus of [gateway, rewardModel, policy, trainer]) {
      expect((await (await bus.objects(modelsBucket("main"))).get("m"))?.info.sizeBytes).toBe(1);
    }
    await (await gateway.keyValue(modelsBucket("main"))).update("registry", new Uint8Array(1), 0);
    const noCertificate = { ...settings("rollout"), natsTlsCert: "", natsTlsKey: "" };
    await expect(as(noCertificate)).rejects.toThrow();
    await expect(as({ ...settings("rollout"), natsPassword: "pw-trainer" })).rejects.toThrow();
  });

  withNats(
    `let the admin push models as the README says, which the init containers bring${noServer}`,
    async () => {
      await using dir = await tempDir();
      const manifests = render(PRODUCTION);
      await using nats = await startSecuredNats(dir, manifests);
      await mkdir(dir.file("model"));
      await writeFile(dir.file("model/config.json"), "{}");
      await writeFile(dir.file("model/model.safetensors"), "weights");
      await writeFile(dir.file("tokens"), `worker=generate+score:${"t".repeat(48)}`);
      for (const user of ["admin", "policy", "reward-model"]) {
        await writeFile(dir.file(`${user}.password`), `pw-${user}`);
      }
      const run = (program: string, args: string[], env: Record<string, string>) =>
        promisify(execFile)(
          process.execPath,
          [fileURLToPath(new URL(`../../${program}`, import.meta.url)), ...args],
          {
            env: { PATH: process.env["PATH"], ...env },
          },
        );
      const admin = {
        ...{
          STAGECRAFT_NATS_USER: "admin",
          STAGECRAFT_NATS_PASSWORD_FILE: dir.file("admin.password"),
        },
        ...{
          STAGECRAFT_NATS_TLS_CA: dir.file("ca.crt"),
          STAGECRAFT_NATS_TLS_CERT: dir.file("tls.crt"),
        },
        STAGECRAFT_NATS_TLS_KEY: dir.file("tls.key"),
      };
      for (const name of ["policy", "reward"]) {
        const push = ["models", "push", dir.file("model"), `nats://${name}`];
        await run("libs/cli/bin/stagecraft.mjs", [...push, "--nats-url", localUrl(nats)], admin);
      }
      const here = (value: string, name: string) =>
        value
          .replace("/etc/stagecraft-nats/password", dir.file(`${name}.password`))
          .replace("/etc/stagecraft-access", dir.path)
          .replace(TLS, dir.path);
      for (const name of ["policy", "reward-model"]) {
        const workload = ours(manifests).find((one) => one.name === name)!;
        const [bringer] = workload.pod.initContainers!;
        await writeFile(dir.file("config.yaml"), configOf(manifests, workload));
        const env = bringer!.env!.map((one) => [one.name, here(valueOf(manifests, one)!, name)]);
        const args = bringer!.args!.map((arg) => arg.replace("/etc/stagecraft/", `${dir.path}/`));
        const place = ["--nats-url", localUrl(nats), "--models-cache", dir.file(`${name}.models`)];
        await run(`services/${name}/dist/main.js`, [...args, ...place], Object.fromEntries(env));
        const [version] = await readdir(dir.file(`${name}.models`));
        expect(await readdir(dir.file(`${name}.models/${version}`))).toContain("config.json");
      }
    },
  );

  withNats(`let Jobs of pipelines in, by the Secret that they are given${noServer}`, async () => {
    await using dir = await tempDir();
    const manifests = render(PRODUCTION);
    await using nats = await startSecuredNats(dir, manifests);
    const { secretName, usages } = certificateOf(manifests, "pipeline");
    expect(usages).toContain("client auth");
    const connect = (job: Workload) => {
      const files = (job.container.env ?? []).map(({ name, value = "" }) => [
        name,
        value.replace(TLS, dir.path), // where the Secret's files are here
      ]);
      const keys = { USER: "policy", PASSWORD: "pw-policy", URL: localUrl(nats) }; // of --env-secret
      const given = Object.entries(keys).map(([name, value]) => [`STAGECRAFT_NATS_${name}`, value]);
      // The command line has the same fields for the broker as a service.
      const { rollout: schema } = SERVICES;
      const env = Object.fromEntries([...files, ...given]);
      return createJetStreamBus(
        busOptions(schema.parse(fromEnvironment(schema, "STAGECRAFT", env))),
      );
    };
    const job = jobPod({ tlsSecret: secretName });
    expect(secretAt(job, TLS)?.secretName).toBe("tls-pipeline");
    await using bus = await connect(job);
    expect(bus).toBeDefined();
    await expect(connect(jobPod())).rejects.toMatchObject({ code: "unavailable" });
  });

  withNats(`get renewed certificates from a server that goes on${noServer}`, async () => {
    await using dir = await tempDir();
    await using next = await tempDir();
    for (const { path, file } of [dir, next]) {
      makeCertificates(path);
      for (const [name, from] of Object.entries(PEM))
        await writeFile(file(name), await readFile(file(from)));
    }
    const manifests = render(PRODUCTION);
    const port = await freePort();
    await mkdir(dir.file("data"));
    await writeFile(
      dir.file("nats.conf"),
      `listen: 127.0.0.1:${port}\njetstream { store_dir: "${dir.file("data")}" }\n` +
        natsFiles(manifests)["tls.conf"]!.replaceAll("/etc/nats-tls", dir.path),
    );
    const [shell, flag, script] = serversOf(manifests).find(({ name }) => name === "nats")!
      .container.command!;
    await using server = await startProcess(
      shell!,
      [
        flag!,
        script!.replaceAll("/etc/nats-tls", dir.path),
        "nats",
        "--config",
        dir.file("nats.conf"),
      ],
      { env: { RELOAD_SECONDS: "0.2", PATH: `${process.env["PATH"]}:/usr/sbin` } },
    );
    const connects = async (caFile: string, from: typeof dir) => {
      const tls = { caFile, certFile: from.file("tls.crt"), keyFile: from.file("tls.key") };
      const servers = `nats://localhost:${port}`;
      const bus = await createJetStreamBus({ servers, tls }).catch(() => undefined);
      await bus?.[Symbol.asyncDispose]();
      return bus !== undefined;
    };
    await writeFile(dir.file("first.crt"), await readFile(dir.file("ca.crt")));
    await waitFor(() => connects(dir.file("first.crt"), dir), { what: "a server with TLS" });
    for (const name of Object.keys(PEM)) await rename(next.file(name), dir.file(name));
    await waitFor(() => connects(dir.file("ca.crt"), dir), { what: "the new certificate" });
    expect(await connects(dir.file("first.crt"), dir)).toBe(false);
    expect(server.output()).toContain("Reloaded");
    expect(await readdir(dir.path)).toContain("data");
    await server[Symbol.asyncDispose]();
    const names = async () => {
      const { stdout } = await promisify(execFile)("ps", ["-A", "-o", "args"]);
      return stdout.includes(dir.path);
    };
    await waitFor(async () => !(await names()), { what: "the end of what watches certificates" });
  });
});

suite(`another namespace${skipped}`, () => {
  it("stands in the names of its certificates", () => {
    const { dnsNames } = certificateOf(render(ELSEWHERE), "reward-model");
    expect(dnsNames).toContain("reward-model.elsewhere.svc.cluster.local");
    expect(dnsNames.join()).not.toContain("stagecraft");
  });
});

/** How cert-manager calls what `makeCertificates` makes. */
const PEM = { "ca.crt": "ca.crt", "tls.crt": "server.crt", "tls.key": "server.key" };

/** A broker with the rendered users and TLS, whose PEM files are in the folder under cert-manager's names. */
async function startSecuredNats(
  dir: Awaited<ReturnType<typeof tempDir>>,
  manifests: readonly Manifest[],
) {
  makeCertificates(dir.path);
  for (const [name, from] of Object.entries(PEM))
    await writeFile(dir.file(name), await readFile(dir.file(from)));
  const { "tls.conf": tls = "", "users.conf": users = "" } = natsFiles(manifests);
  const config = passwords(`${tls.replaceAll("/etc/nats-tls", dir.path)}\n${users}`);
  return startNatsServer({ config, maxFileStoreBytes: 8 * 2 ** 30 });
}

/** By the name in its certificate. */
const localUrl = ({ url }: { url: string }) => url.replace("127.0.0.1", "localhost");

/** Passwords in place of the environment's. */
const passwords = (text: string) => {
  const nameOf = (role: string) => role.toLowerCase().replaceAll("_", "-");
  return text.replace(/\$NATS_(\w+)_PASSWORD/g, (_, role: string) => `"pw-${nameOf(role)}"`);
};

function natsFiles(manifests: readonly Manifest[]): Record<string, string> {
  const { pod } = serversOf(manifests).find(({ name }) => name === "nats")!;
  const map = pod.volumes?.find(({ name }) => name === "config")?.configMap?.name;
  return find(manifests, "ConfigMap", map ?? "")["data"] as Record<string, string>;
}

interface CertificateSpec {
  secretName: string;
  dnsNames: string[];
  usages: string[];
  issuerRef: { name: string };
}

const certificateOf = (manifests: readonly Manifest[], name: string) =>
  find(manifests, "Certificate", name)["spec"] as CertificateSpec;
