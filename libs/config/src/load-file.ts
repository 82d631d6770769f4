import { readFile } from "node:fs/promises";
import { StagecraftError } from "@stagecraft/core";
import { isMap, LineCounter, parseDocument, stringify, type Document } from "yaml";

/** A file's values and where each stands. */
export interface ConfigFile {
  path: string;
  values: Record<string, unknown>;
  /** `policy.yaml:7` for a value's path, the nearest known place for a missing one. */
  locate(path: readonly PropertyKey[]): string;
}

/**
 * Reads a YAML or JSON file whose top level is a map. Throws `not_found`, `permission_denied`, or
 * `invalid_argument` with file and line of every syntax error; duplicate keys are errors.
 */
export async function loadConfigFile(path: string): Promise<ConfigFile> {
  const text = await readText(path);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const lineOf = (offset: number) => lines.linePos(offset).line;
  if (document.errors.length > 0) {
    const problems = document.errors.map(
      ({ pos, message }) => `${path}:${lineOf(pos[0])}: ${message}`,
    );
    throw new StagecraftError("invalid_argument", problems.join("\n"), { details: { problems } });
  }
  if (document.contents !== null && !isMap(document.contents)) {
    throw new StagecraftError("invalid_argument", `${path}:1: expected fields at the top level`);
  }
  return {
    path,
    values: (document.toJS() ?? {}) as Record<string, unknown>,
    locate: (at) => {
      const offset = offsetOf(document, at);
      return offset === undefined ? path : `${path}:${lineOf(offset)}`;
    },
  };
}

/** A value as YAML, also for readers of YAML 1.1 such as kubectl, to whom a bare `off` is no text. */
export function yamlText(value: unknown): string {
  return stringify(value, { lineWidth: 0, compat: "yaml-1.1" });
}

async function readText(path: string): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    const { code } = StagecraftError.from(cause);
    const isDirectory = (cause as NodeJS.ErrnoException).code === "EISDIR";
    throw new StagecraftError(
      isDirectory ? "invalid_argument" : code,
      `cannot read ${path}${isDirectory ? ": it is a directory" : code === "not_found" ? ": no such file" : ""}`,
      { cause, details: { file: path } },
    );
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new StagecraftError("invalid_argument", `${path} is not UTF-8 text`, {
      cause,
      details: { file: path },
    });
  }
}

/** The key's offset, or that of the deepest parent there is. */
function offsetOf(document: Document, path: readonly PropertyKey[]): number | undefined {
  for (let depth = path.length; depth > 0; depth--) {
    const parent = depth === 1 ? document.contents : document.getIn(path.slice(0, depth - 1), true);
    const last = path[depth - 1];
    if (isMap(parent)) {
      const pair = parent.items.find(({ key }) => String(key) === String(last));
      const range = (pair?.key as { range?: [number, number, number] } | undefined)?.range;
      if (range) return range[0];
    }
    const node = document.getIn(path.slice(0, depth), true) as { range?: [number] } | undefined;
    if (node?.range) return node.range[0];
  }
  return undefined;
}
