import { ESLint } from "eslint";
import { fileURLToPath } from "node:url";
import tseslint from "typescript-eslint";
import { describe, expect, it } from "vitest";
import { boundaryConfigs } from "./lint/boundary-rules.mjs";
import { allowedImports, readProjects } from "./module-boundaries.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const eslint = new ESLint({
  cwd: root,
  overrideConfigFile: true,
  overrideConfig: [
    { files: ["**/*.ts"], languageOptions: { parser: tseslint.parser } },
    ...boundaryConfigs(root),
  ] as ESLint.Options["overrideConfig"],
});

async function problems(filePath: string, code: string): Promise<string[]> {
  const [result] = await eslint.lintText(code, { filePath });
  return result!.messages.map(({ ruleId, message }) => `${ruleId}: ${message}`);
}

describe("module boundaries", () => {
  const forbidden: [file: string, code: string, says: string][] = [
    [
      "libs/data/src/x.ts",
      'import { runPpo } from "@stagecraft/ppo";',
      "libs/data may import: core",
    ],
    ["libs/data/src/x.ts", 'await import("@stagecraft/ppo");', "libs/data may import: core"],
    ["libs/data/src/x.ts", 'export { a } from "@stagecraft/rpc";', "libs/data may import: core"],
    [
      "libs/core/src/x.ts",
      'import type { A } from "@stagecraft/config";',
      "no @stagecraft package",
    ],
    ["libs/cli/src/x.ts", 'import "@stagecraft/core/src/errors.js";', "no deep imports"],
    ["libs/cli/src/x.ts", 'import "../../core/src/errors.js";', "package name"],
    [
      "services/policy/src/x.ts",
      'import "@stagecraft/service-rollout";',
      "services/policy may import",
    ],
    ["services/policy/src/x.ts", 'import "@grpc/grpc-js";', "Use @stagecraft/rpc"],
    ["services/policy/src/x.ts", 'import { connect } from "nats";', "Use @stagecraft/bus"],
    ["libs/model/src/x.ts", 'import * as tf from "@tensorflow/tfjs";', "Use `tf` of"],
    ["libs/model/src/x.ts", "export const home = process.env.HOME;", "Only libs/config"],
    ["libs/rpc/src/x.ts", 'import "@stagecraft/testing";', "libs/rpc may import"],
    ["libs/ppo/src/x.ts", 'import "@stagecraft/weights";', "libs/ppo may import"],
    ["libs/weights/src/x.ts", 'import "@stagecraft/model";', "libs/weights may import"],
    ["libs/environments/src/x.ts", 'import "@stagecraft/ppo";', "libs/environments may import"],
    ["libs/cluster/src/x.ts", 'import "@stagecraft/pipeline";', "libs/cluster may import"],
    ["libs/cluster/src/x.ts", 'import "@stagecraft/model";', "libs/cluster may import"],
    ["libs/pipeline/src/x.ts", 'import "@stagecraft/world";', "libs/pipeline may import"],
    ["libs/pipeline/src/x.ts", 'import "@stagecraft/cli";', "libs/pipeline may import"],
  ];
  for (const [file, code, says] of forbidden) {
    it(`refuses \`${code}\` in ${file}`, async () => {
      expect(await problems(file, code)).toEqual([expect.stringContaining(says)]);
    });
  }

  const allowed: [file: string, code: string][] = [
    ["libs/data/src/x.ts", 'import "@stagecraft/core"; import "@stagecraft/tokenizer";'],
    ["libs/rpc/src/x.ts", 'import "@grpc/grpc-js"; import "@stagecraft/contracts";'],
    ["libs/rpc/src/x.test.ts", 'import "@stagecraft/testing"; import "@stagecraft/rpc";'],
    ["libs/weights/src/x.ts", 'import "@stagecraft/bus"; import "@stagecraft/checkpoint";'],
    ["libs/config/src/x.ts", "export const home = process.env.HOME;"],
    ["libs/pipeline/src/x.ts", 'import "@stagecraft/service-policy"; import "../x/y.js";'],
    ["libs/cli/src/x.ts", 'import "@stagecraft/pipeline"; import "@stagecraft/cluster";'],
  ];
  for (const [file, code] of allowed) {
    it(`allows \`${code}\` in ${file}`, async () => {
      expect(await problems(file, code)).toEqual([]);
    });
  }

  it("is part of the repository's ESLint configuration", async () => {
    const real = await new ESLint({ cwd: root }).calculateConfigForFile("libs/data/src/x.ts");
    expect(JSON.stringify(real.rules["no-restricted-imports"])).toContain("libs/data may import");
  });

  it("lets every project declare only what its layer allows", () => {
    for (const project of readProjects(root)) {
      expect([project.dir, allowedImports(project)]).toEqual([project.dir, project.dependencies]);
    }
  });
});
