import { chmod, writeFile } from "node:fs/promises";
import { tempDir } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
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
    await expect(readKubeAccess({ kubeconfig, context: "three" })).rejects.toMatchObject({
      code: "not_found",
      message: expect.stringContaining('no context "three"; it has one, two') as string,
    });
  });
});
