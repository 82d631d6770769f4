import { spawnSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { hasNatsServer, makeCertificates, NATS_MISSING, tempDir } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { EVERYTHING, OVERLAYS, render, RENDERER_MISSING } from "./render.js";
import { isService, settingsOf } from "./settings.js";
import { find, serversOf } from "./workloads.js";

const skipped = RENDERER_MISSING ? ` (skipped: ${RENDERER_MISSING})` : "";
const suite = describe.skipIf(RENDERER_MISSING !== undefined);

/** Those with three brokers. */
const THREE: string[] = ["overlays/production", EVERYTHING];

/** The broker's files: the ConfigMap it mounts. */
function filesOf(path: string): Record<string, string> {
  const nats = serversOf(render(path)).find(({ name }) => name === "nats");
  const map = nats?.pod.volumes?.find(({ name }) => name === "config")?.configMap?.name;
  return find(render(path), "ConfigMap", map ?? "")["data"] as Record<string, string>;
}

suite(`brokers${skipped}`, () => {
  it.each([...OVERLAYS, EVERYTHING])("%s: as many as there are copies of everything", (path) => {
    const manifests = render(path);
    const nats = serversOf(manifests).find(({ name }) => name === "nats");
    expect(nats?.replicas).toBe(THREE.includes(path) ? 3 : 1);
    const asked = serversOf(manifests).flatMap((workload) =>
      isService(workload.name) ? [settingsOf(manifests, workload).natsReplicas ?? []] : [],
    );
    expect(asked.flat()).toEqual(new Array(4).fill(nats?.replicas));
  });

  it("know each other by the names of their pods, and may call each other", () => {
    const { "cluster.conf": text = "" } = filesOf(EVERYTHING);
    const [, port] = /port: (\d+)/.exec(text) ?? [];
    const routes = [...text.matchAll(/nats:\/\/(nats-\d)\.nats:(\d+)/g)];
    expect(routes.map(([, host]) => host)).toEqual(["nats-0", "nats-1", "nats-2"]);
    expect(new Set(routes.map(([, , to]) => to))).toEqual(new Set([port]));
    const rule = find(render(EVERYTHING), "NetworkPolicy", "allow-nats-routes")["spec"] as {
      ingress: { ports: { port: number }[] }[];
    };
    expect(rule.ingress[0]?.ports[0]?.port).toBe(Number(port));
  });

  const noServer = hasNatsServer() ? "" : ` (skipped: ${NATS_MISSING})`;
  it.skipIf(noServer !== "")(`read their files${noServer}`, async () => {
    await using dir = await tempDir();
    await mkdir(dir.file("data"));
    makeCertificates(dir.path);
    for (const [name, text] of Object.entries(filesOf(EVERYTHING))) {
      const here = text
        .replace("/data", dir.file("data"))
        .replaceAll("/etc/nats-tls/tls", dir.file("server"))
        .replaceAll("/etc/nats-tls", dir.path)
        .replace(/\$NATS_\w+_PASSWORD/g, "secret");
      await writeFile(dir.file(name), here.replace(/^\s*sync_interval.*$/m, "")); // 2.9 knows it not
    }
    const args = ["-t", "--config", dir.file("cluster.conf")];
    const env = { ...process.env, POD_NAME: "nats-0" };
    const { stderr, stdout } = spawnSync("nats-server", args, { env, encoding: "utf8" });
    expect(stdout + stderr).toContain("is valid");
  });
});
