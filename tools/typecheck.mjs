// `npm run typecheck` of one project, run in its folder: sources, tests and pages, nothing emitted.
import { relative } from "node:path";
import ts from "typescript";
import { createProjectPrograms } from "./lint/project-program.mjs";
import { root } from "./setup/main.mjs";

const programs = createProjectPrograms(root, relative(root, process.cwd()));
const diagnostics = programs.flatMap((program) => ts.getPreEmitDiagnostics(program));
if (diagnostics.length > 0) {
  const host = {
    getCurrentDirectory: () => root,
    getCanonicalFileName: (/** @type {string} */ name) => name,
    getNewLine: () => "\n",
  };
  process.stdout.write(ts.formatDiagnosticsWithColorAndContext(diagnostics, host));
  process.exitCode = 1;
}
