// Whether values are what type declarations say, by the TypeScript compiler: it finds unknown fields,
// missing ones, wrong types and nulls, at any depth.
import ts from "typescript";

/** A value, and where its type is declared. */
export interface Declared {
  /** For messages. */
  name: string;
  module: string;
  type: string;
  value: unknown;
}

const OPTIONS: ts.CompilerOptions = {
  strict: true,
  noEmit: true,
  skipLibCheck: true,
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  lib: ["lib.es2022.d.ts"],
  types: [],
};

/** Its imports are looked up from here. */
const FILE = new URL("values.generated.ts", import.meta.url).pathname;

/** The problems of values, one sentence each: whose, at what path, what. */
export function typeProblems(values: readonly Declared[]): string[] {
  if (values.length === 0) return [];
  const lines = values.map(
    ({ module, type, value }, i) =>
      `import type { ${type} as T${i} } from ${JSON.stringify(module)}; export const v${i}: T${i} = ${JSON.stringify(value)};`,
  );
  const source = ts.createSourceFile(FILE, lines.join("\n"), ts.ScriptTarget.ES2022, true);
  const program = ts.createProgram([FILE], OPTIONS, hostWith(source), lastProgram);
  lastProgram = program;
  return program.getSemanticDiagnostics(source).map((diagnostic) => {
    const { line } = source.getLineAndCharacterOfPosition(diagnostic.start ?? 0);
    const { name = "", module, type } = values[line] ?? {};
    if (MISSING.has(diagnostic.code)) return `${name}: no schema for ${module}/${type}`;
    return `${name}: ${pathAt(source, diagnostic.start ?? 0)} ${wordsOf(diagnostic)}`;
  });
}

/** What is parsed once serves all. */
let lastProgram: ts.Program | undefined;
const parsed = new Map<string, ts.SourceFile | undefined>();
const base = ts.createCompilerHost(OPTIONS);

function hostWith(source: ts.SourceFile): ts.CompilerHost {
  return {
    ...base,
    fileExists: (name) => name === FILE || base.fileExists(name),
    getSourceFile: (name, options) => {
      if (name === FILE) return source;
      if (!parsed.has(name)) parsed.set(name, base.getSourceFile(name, options));
      return parsed.get(name);
    },
  };
}

/** No such module; no such export of it, with and without a similar name. */
const MISSING = new Set([2307, 2305, 2724]);

const wordsOf = ({ messageText }: ts.Diagnostic) =>
  ts.flattenDiagnosticMessageText(messageText, " ").replace(/\s+/g, " ");

/** The fields that lead to a place of the text: /spec/containers/0/image. */
function pathAt(source: ts.SourceFile, position: number): string {
  const path: (string | number)[] = [];
  const visit = (node: ts.Node): void => {
    if (position < node.getStart(source) || position >= node.end) return;
    const { parent } = node;
    if (ts.isPropertyAssignment(node)) path.push((node.name as ts.StringLiteral).text);
    if (parent && ts.isArrayLiteralExpression(parent)) {
      path.push(parent.elements.indexOf(node as ts.Expression));
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return `/${path.join("/")}`;
}
