// `npm run typecheck` of one project, run in its folder: sources and tests, nothing emitted.
import { relative } from "node:path";
import ts from "typescript";
import { createProjectProgram } from "./lint/project-program.mjs";
import { root } from "./setup/main.mjs";

const program = createProjectProgram(root, relative(root, process.cwd()));
const diagnostics = ts.getPreEmitDiagnostics(program);
if (diagnostics.length > 0) {
  const host = {
    getCurrentDirectory: () => root,
    getCanonicalFileName: (/** @type {string} */ name) => name,
    getNewLine: () => "\n",
  };
  process.stdout.write(ts.formatDiagnosticsWithColorAndContext(diagnostics, host));
  process.exitCode = 1;
}
