import { existsSync } from "node:fs";
import { chmod, writeFile } from "node:fs/promises";
import { tempDir } from "@stagecraft/testing";
import { describe, expect, it, vi } from "vitest";
import { readKubeAccess } from "./kube-config.js";

const base64 = (text: string) => Buffer.from(text).toString("base64");

describe("readKubeAccess()", () => {
  it("reads certificates, tokens and credential plugins of a kubeconfig, by context", async () => {
    await using dir = await tempDir();
    await writeFile(dir.file("client.key"), "KEY");
    await writeFile(
      dir.file("plugin"),
      '#!/bin/sh\necho "{\\"status\\":{\\"token\\":\\"$WHO-$1\\"}}"\n',
    );
    await chmod(dir.file("plugin"), 0o755);
    const users = [
      {
        name: "cert",
        user: { "client-certificate-data": base64("CERT"), "client-key": "client.key" },
      },
      {
        name: "plugin",
        user: {
          exec: { command: dir.file("plugin"), args: ["a"], env: [{ name: "WHO", value: "me" }] },
        },
      },
    ];
    const cluster = { server: "https://k:6443", "certificate-authority-data": base64("CA") };
    const config = {
      "current-context": "one",
      clusters: [{ name: "c", cluster }],
      users,
      contexts: [
        { name: "one", context: { cluster: "c", user: "cert", namespace: "ns" } },
        { name: "two", context: { cluster: "c", user: "plugin" } },
      ],
    };
    const kubeconfig = dir.file("config");
    await writeFile(kubeconfig, JSON.stringify(config));
    expect(await readKubeAccess({ kubeconfig })).toEqual({
      ...{ server: "https://k:6443", namespace: "ns", ca: "CA", cert: "CERT", key: "KEY" },
      token: undefined,
    });
    expect(await readKubeAccess({ kubeconfig, context: "two" })).toMatchObject({ token: "me-a" });
    const plugin = await readKubeAccess({ kubeconfig, context: "two" });
    await writeFile(
      dir.file("plugin"),
      '#!/bin/sh\necho "{\\"status\\":{\\"token\\":\\"new\\"}}"\n',
    );
    expect(await plugin.renew?.()).toMatchObject({ token: "new" });
    await expect(readKubeAccess({ kubeconfig, context: "three" })).rejects.toMatchObject({
      code: "not_found",
      message: expect.stringContaining('no context "three"; it has one, two') as string,
    });
  });

  it("what a credential plugin is told stands in its environment, on no command line", async () => {
    await using dir = await tempDir();
    const program = async (name: string, text: string) => {
      await writeFile(dir.file(name), `#!/bin/sh\n${text}\n`);
      await chmod(dir.file(name), 0o755);
      return dir.file(name);
    };
    await program("env", `echo "$@" > ${dir.file("seen")}; exit 1`); // whoever reads command lines
    const told =
      '{\\"status\\":{\\"token\\":\\"$SECRET $(printf %.15s "$KUBERNETES_EXEC_INFO" | tr -d \'\\"{\')\\"}}';
    const command = await program("plugin", `echo "${told}"`);
    const exec = { command, env: [{ name: "SECRET", value: "hidden" }] };
    const kubeconfig = dir.file("config");
    await writeFile(
      kubeconfig,
      JSON.stringify({
        "current-context": "one",
        clusters: [{ name: "c", cluster: { server: "https://k:6443" } }],
        users: [{ name: "u", user: { exec } }],
        contexts: [{ name: "one", context: { cluster: "c", user: "u" } }],
      }),
    );
    vi.stubEnv("PATH", `${dir.path}:${process.env["PATH"]}`);
    try {
      expect(await readKubeAccess({ kubeconfig })).toMatchObject({ token: "hidden apiVersion:" });
      expect(existsSync(dir.file("seen"))).toBe(false);
    } finally {
      vi.unstubAllEnvs();
    }
  });
});
