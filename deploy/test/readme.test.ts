import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { COMPONENTS, overlayOf, OVERLAYS, render, RENDERER_MISSING } from "./render.js";
import { workloadsOf } from "./workloads.js";

const folder = fileURLToPath(new URL("..", import.meta.url));
const readme = readFileSync(join(folder, "README.md"), "utf8");
const dockerfile = readFileSync(join(folder, "images", "Dockerfile"), "utf8");
const work =
  /```yaml\n# deploy\/kustomize\/overlays\/work.*\n([\s\S]*?)```/.exec(readme)?.[1] ?? "";
const [, registry = ""] = /^REGISTRY=(\S+)$/m.exec(readme) ?? [];
const overlay =
  /```yaml\n# deploy\/kustomize\/overlays\/mine.*\n([\s\S]*?)```/.exec(readme)?.[1] ?? "";

/** Images that somebody can run: all that have an entry point. */
const images = dockerfile
  .split(/^FROM /m)
  .filter((part) => part.includes("ENTRYPOINT"))
  .map((part) => /AS (\S+)/.exec(part)?.[1] ?? "");

describe("deploy/README.md", () => {
  it("names every component and every overlay that there is", () => {
    for (const name of [...COMPONENTS, ...OVERLAYS.map((path) => path.split("/")[1]!)]) {
      expect(readme, name).toContain(`\`${name}\``);
    }
  });

  it("pushes every image that there is", () => {
    const [, line = "", more = ""] =
      /^for name in (.*); do +# with GPUs also (.*)$/m.exec(readme) ?? [];
    expect(`${line} ${more}`.split(" ").sort()).toEqual([...images].sort());
  });

  const skipped = RENDERER_MISSING ? ` (skipped: ${RENDERER_MISSING})` : "";
  describe.skipIf(RENDERER_MISSING !== undefined)(`its own overlay${skipped}`, () => {
    it("for production has what production has, and more", () => {
      using mine = overlayOf(work);
      const kinds = render(mine.path).map(({ kind }) => kind);
      expect(kinds).toEqual(expect.arrayContaining(["Certificate", "Ingress", "ScaledObject"]));
    });

    it.each(["cpu", "gpu", "gpu-1", "gpu-2"])(
      "leaves no image of %s to a public account",
      (from) => {
        using mine = overlayOf(overlay.replace("[../gpu]", `[../${from}]`));
        const workloads = workloadsOf(render(mine.path));
        for (const { name, containers } of workloads) {
          if (name === "nats") continue;
          for (const { image } of containers) {
            expect(image.startsWith(`${registry}/stagecraft/`), `${name}: ${image}`).toBe(true);
          }
        }
        expect(workloads.length).toBeGreaterThan(4);
      },
    );
  });
});
