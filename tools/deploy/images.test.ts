import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { buildCommand } from "./images.mjs";
import { PACKABLE } from "./pack.mjs";

const options = { engine: "podman", names: [], tag: "1" } as const;
const command = (more: object) => buildCommand("policy", "x:1", { ...options, ...more }).join(" ");

describe("buildCommand()", () => {
  it("takes the Dockerfile's own bases unless it is told others", () => {
    expect(command({})).toContain("--target policy --tag x:1");
    expect(command({})).not.toContain("--build-arg");
    expect(command({ base: "b", buildBase: "c" })).toContain(
      "--build-arg BASE=b --build-arg BUILD_BASE=c",
    );
  });

  it("passes settings of npm as secrets, never as arguments or files of the build", () => {
    const text = command({ npmrc: "/home/me/.npmrc", ca: "/ca.pem" });
    expect(text).toContain("--secret id=npmrc,src=/home/me/.npmrc --secret id=ca,src=/ca.pem");
    expect(text.match(/npmrc/g)).toHaveLength(2);
  });

  it("gives docker none of podman's own flags", () => {
    expect(command({})).toContain("--ignorefile");
    expect(command({ engine: "docker" })).not.toMatch(/--ignorefile|--layers|--ulimit/);
  });
});

describe("deploy/images/Dockerfile", () => {
  const text = readFileSync(new URL("../../deploy/images/Dockerfile", import.meta.url), "utf8");
  const stages = new Map(
    text.split(/^(?=FROM )/m).map((stage) => [/^FROM \S+ AS (\S+)/.exec(stage)?.[1], stage]),
  );

  it("starts each packed program from its own folder, as nobody in particular", () => {
    for (const [name, project] of Object.entries(PACKABLE)) {
      const stage = stages.get(name) ?? "";
      expect(stage, name).toContain("FROM runtime AS");
      expect(stage, name).toContain(`COPY --from=build /out/${name} /app\n`);
      expect(stage, name).toContain(`ENTRYPOINT ["node", "${project}/`);
    }
    expect(stages.get("runtime")).toMatch(/^USER \d+:\d+$/m);
    expect(stages.get("gpu-runtime")).toMatch(/^FROM runtime AS/); // as nobody in particular, too
  });

  it("gives each service on GPUs the addon, and the plugin by its own setting", () => {
    for (const name of ["policy", "reward-model", "trainer"]) {
      const stage = stages.get(`${name}-gpu`) ?? "";
      expect(stage).toContain(`COPY --from=build /out/${name} /app\n`);
      expect(stage).toContain("/src/libs/tensor-xla/build /app/libs/tensor-xla/build\n");
      const variable = `STAGECRAFT_${name.toUpperCase().replace("-", "_")}_PLUGIN`;
      expect(stage).toContain(`ENV ${variable}=/opt/pjrt/plugin.so\n`);
    }
    expect(command({ pjrtPlugin: "p==1" })).toContain("--build-arg PJRT_PLUGIN=p==1");
  });

  it("has no HEALTHCHECK and copies nothing from the build but what was packed", () => {
    expect(text).not.toMatch(/^HEALTHCHECK/m);
    for (const [, from] of text.matchAll(/COPY --from=build (\S+)/g)) {
      expect(from).toMatch(/^\/out\//);
    }
  });
});
