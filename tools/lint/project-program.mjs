import { existsSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";

/**
 * All that is to be checked of one project: its program and, where it has pages (`web/`), theirs, which
 * live in a browser and therefore have a configuration of their own.
 * @param {string} root the repository
 * @param {string} projectDir such as `services/gateway`, relative to the root
 * @returns {ts.Program[]}
 */
export function createProjectPrograms(root, projectDir) {
  const pages = join(root, projectDir, "web", "tsconfig.json");
  return [
    createProjectProgram(root, projectDir),
    ...(existsSync(pages) ? [createPagesProgram(pages)] : []),
  ];
}

/** @param {string} configFile */
function createPagesProgram(configFile) {
  const host = { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => undefined };
  const parsed = ts.getParsedCommandLineOfConfigFile(configFile, { noEmit: true }, host);
  if (!parsed) throw new Error(`cannot read ${configFile}`);
  const { fileNames, options, projectReferences, errors } = parsed;
  return ts.createProgram({
    rootNames: fileNames,
    options: { ...options, customConditions: [] },
    ...(projectReferences ? { projectReferences } : {}),
    configFileParsingDiagnostics: errors,
  });
}

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
      ? ["*.ts", "src/**/*.ts", "test/**/*.ts", "pages/**/*.ts", "bench/**/*.ts"]
      : [".", "../vitest.config.ts"],
    exclude: ["node_modules", "dist", "build"],
  };
  const parsed = ts.parseJsonConfigFileContent(config, ts.sys, directory);
  return ts.createProgram(parsed.fileNames, parsed.options, undefined, undefined, parsed.errors);
}
