import { existsSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";

/**
 * One project's sources and tests as a TypeScript program. Other projects come in through their
 * built declarations, so build first; that keeps one project's check at seconds.
 * @param {string} root the repository
 * @param {string} projectDir such as `libs/core`, relative to the root
 * @returns {ts.Program}
 */
export function createProjectProgram(root, projectDir) {
  const directory = join(root, projectDir);
  const config = {
    extends: join(root, "tsconfig.test.json"),
    compilerOptions: { customConditions: [] },
    include: existsSync(join(directory, "src"))
      ? ["*.ts", "src/**/*.ts", "test/**/*.ts", "bench/**/*.ts"]
      : [".", "../vitest.config.ts"],
    exclude: ["node_modules", "dist", "build"],
  };
  const parsed = ts.parseJsonConfigFileContent(config, ts.sys, directory);
  return ts.createProgram(parsed.fileNames, parsed.options, undefined, undefined, parsed.errors);
}
