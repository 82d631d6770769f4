import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { readAudit } from "./audit.mjs";
import { pinned, usedImages } from "./images.mjs";
import { EXCEPTIONS, isAllowed, licenceProblems, lockedPackages } from "./licences.mjs";
import { digestOf } from "./registry.mjs";
import { createSbom } from "./sbom.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const known = ["lightningcss", "axe-core"];
const dev = known.map((name) => ({ name, version: "1.0.0", licence: "MPL-2.0", isDev: true }));

describe("licences", () => {
  it("of everything in package-lock.json are on the list", () => {
    const packages = lockedPackages(root);
    expect(packages.length).toBeGreaterThan(300);
    expect(licenceProblems(packages)).toEqual([]);
  });

  it("are refused when they are unknown, not on the list, or an exception that an image would hold", () => {
    expect(EXCEPTIONS.every(({ reason }) => reason.length > 20)).toBe(true);
    const bad = (name: string, licence: string) => ({ name, version: "1", licence, isDev: false });
    const problems = licenceProblems([
      ...dev,
      ...[bad("a", "AGPL-3.0-only"), bad("b", ""), bad("lightningcss-x", "MPL-2.0")],
      bad("fine", "MIT OR GPL-3.0-only"),
    ]);
    expect(problems).toEqual([
      expect.stringContaining("a@1: licence AGPL-3.0-only is not on the list"),
      expect.stringContaining("b@1: licence unknown"),
      expect.stringContaining("an image would hold it"),
    ]);
    expect(licenceProblems([])).toEqual(
      known.map(() => expect.stringContaining("is not needed any more") as unknown),
    );
  });

  it("are read as SPDX expressions", () => {
    for (const [text, allowed] of [
      ["(Apache-2.0 AND BSD-3-Clause)", true],
      ["MIT AND GPL-3.0-only", false],
      ["(GPL-3.0-only OR MIT) AND ISC", true],
      ["(GPL-3.0-only OR AGPL-3.0-only) AND ISC", false],
      ["SEE LICENSE IN FILE", false],
    ] as const) {
      expect(isAllowed(text), text).toBe(allowed);
    }
  });
});

describe("images", () => {
  const digest = `sha256:${"ab".repeat(32)}`;

  it("are found where they are named", () => {
    const names = usedImages(root).map(({ image }) => image);
    expect(names.some((name) => name.includes("/node:"))).toBe(true);
    expect(names.some((name) => name.includes("/nats:"))).toBe(true);
  });

  it("are pinned, and pinned anew", () => {
    const text =
      "ARG BASE=docker.io/library/node:22-slim\nFROM docker.io/x/y:1 AS z\nimage: own/z:1";
    const once = pinned(text, new Map([["docker.io/library/node:22-slim", digest]]));
    expect(once).toBe(text.replace("22-slim", `22-slim@${digest}`));
    const next = `sha256:${"cd".repeat(32)}`;
    const again = pinned(once, new Map([["docker.io/library/node:22-slim", next]]));
    expect(again).toBe(text.replace("22-slim", `22-slim@${next}`));
  });
});

describe("digestOf()", () => {
  it("asks the registry with the token that its challenge names", async () => {
    const digest = `sha256:${"ef".repeat(32)}`;
    const asked: string[] = [];
    const registry = ((
      url: string | URL,
      { headers }: { headers?: Record<string, string> } = {},
    ) => {
      asked.push(String(url));
      if (String(url).startsWith("https://auth.test/")) return Response.json({ token: "t" });
      const isKnown = headers?.["authorization"] === "Bearer t";
      const challenge = 'Bearer realm="https://auth.test/token",service="r",scope="pull"';
      return isKnown
        ? new Response(undefined, { headers: { "docker-content-digest": digest } })
        : new Response(undefined, { status: 401, headers: { "www-authenticate": challenge } });
    }) as unknown as typeof fetch;
    expect(await digestOf("docker.io/library/node:22-slim", registry)).toBe(digest);
    const manifest = "https://registry-1.docker.io/v2/library/node/manifests/22-slim";
    expect(asked).toEqual([manifest, "https://auth.test/token?service=r&scope=pull", manifest]);
    const away = (() => new Response("", { status: 503 })) as unknown as typeof fetch;
    await expect(digestOf("ghcr.io/a/b:1", away)).rejects.toThrow("ghcr.io answered 503");
  });
});

describe("npm run sbom", () => {
  it("lists packages with licences and the images, alike every time", () => {
    const sbom = createSbom(root);
    expect(sbom).toMatchObject({
      bomFormat: "CycloneDX",
      metadata: { component: { name: "stagecraft" } },
    });
    type Component = { name: string; type: string; purl: string; licenses?: object[] };
    const components = sbom.components as Component[];
    expect(components.find(({ name }) => name === "pino")?.licenses).toBeDefined();
    expect(components.filter(({ type }) => type === "container").length).toBeGreaterThan(2);
    expect(createSbom(root)).toEqual(sbom);
  }, 30_000);
});

describe("npm run audit", () => {
  it("tells weaknesses, and a registry that answers no audits", () => {
    const found = { vulnerabilities: { a: { severity: "high", range: "<2" } } };
    expect(readAudit(JSON.stringify(found))).toEqual({ weaknesses: ["high: a <2"] });
    expect(readAudit('{"vulnerabilities":{}}')).toEqual({ weaknesses: [] });
    const silent = { error: { summary: "audit endpoint returned an error" } };
    expect(readAudit(JSON.stringify(silent)).skipped).toContain("does not answer audits");
    expect(readAudit("<html>").skipped).toBeDefined();
  });
});
