import type { ConfigSchema } from "@stagecraft/config";
import { StagecraftError } from "@stagecraft/core";
import { corpusSource } from "@stagecraft/data";
import { parseModel } from "@stagecraft/eval";
import { NAMED_TEMPLATES } from "@stagecraft/tokenizer";
import { z } from "zod";

type Change = (path: string) => string;

/** How a stage's field names a file or folder. */
interface PathField {
  /** What the stage does with it; a library that is loaded is code of whoever names it. */
  use: "read" | "write" | "load";
  /** The entry with its path changed; finds the path as the stage itself does. */
  map(text: string, change: Change): string;
}

const read: PathField = { use: "read", map: (text, change) => change(text) };
const write: PathField = { ...read, use: "write" };
/** `PATH=WEIGHT`. */
const weighted: PathField = {
  use: "read",
  map(text, change) {
    const { path } = corpusSource(text);
    return change(path) + text.slice(path.length);
  },
};
/** `NAME=DIR`. */
const named: PathField = {
  use: "read",
  map(text, change) {
    const { dir } = parseModel(text);
    return text.slice(0, text.length - dir.length) + change(dir);
  },
};

/** The name of a template that comes with us, or a file. */
const template: PathField = {
  use: "read",
  map: (text, change) => (Object.hasOwn(NAMED_TEMPLATES, text) ? text : change(text)),
};

/** Every field of any stage that is free text: a path, or nothing that names a file. */
const TEXT_FIELDS: Readonly<Record<string, PathField | "no path">> = {
  corpus: weighted,
  textField: "no path",
  separator: "no path",
  cacheDir: write,
  tokenizer: read,
  init: read,
  model: read,
  models: named,
  baselines: named,
  data: read,
  validationData: read,
  prompts: read,
  tasks: named,
  examples: named,
  evalPrompts: read,
  references: read,
  reference: read,
  rewardModel: read,
  rewardModels: named,
  policy: read,
  plugin: { ...read, use: "load" },
  ptxCorpus: weighted,
  ptxTextField: "no path",
  ptxSeparator: "no path",
  columns: "no path",
  chatTemplate: template,
  chatTokens: "no path",
  courtesies: "no path",
  scoreWeights: "no path",
};

/** A path of a run's configuration. */
export interface NamedPath {
  /** Such as `prompts[1]`. */
  field: string;
  use: PathField["use"];
  path: string;
}

/** The files and folders that a configuration names; empty ones are left out. */
export function pathsOf(config: object): NamedPath[] {
  const paths: NamedPath[] = [];
  visit(config, (field, use, path) => {
    paths.push({ field, use, path });
    return path;
  });
  return paths;
}

/** The configuration with every path changed. */
export function mapPaths<T extends object>(config: T, change: Change): T {
  return visit(config, (_field, _use, path) => change(path)) as T;
}

type Visitor = (field: string, use: PathField["use"], path: string) => string;

function visit(config: object, visitor: Visitor): object {
  const entries = Object.entries(config).map(([name, value]: [string, unknown]) => {
    const kind = Object.hasOwn(TEXT_FIELDS, name) ? TEXT_FIELDS[name]! : "no path";
    if (kind === "no path") return [name, value];
    const change = (field: string, text: unknown) =>
      typeof text !== "string" || text === ""
        ? text
        : kind.map(text, (path) => visitor(field, kind.use, path));
    const changed = Array.isArray(value)
      ? value.map((text: unknown, i) => change(`${name}[${i}]`, text))
      : change(name, value);
    return [name, changed];
  });
  return Object.fromEntries(entries) as object;
}

/** Throws `internal` when a stage has free text of which nobody has said whether it names a file. */
export function checkTextFields(stage: string, schema: ConfigSchema): void {
  const unknown = Object.entries(schema.shape)
    .filter(([, type]) => isFreeText(type as z.ZodType))
    .map(([name]) => name)
    .filter((name) => !Object.hasOwn(TEXT_FIELDS, name));
  if (unknown.length === 0) return;
  throw new StagecraftError(
    "internal",
    `stage ${stage}: say in stage-paths.ts whether ${unknown.join(", ")} names files`,
  );
}

function isFreeText(type: z.ZodType): boolean {
  if (type instanceof z.ZodDefault || type instanceof z.ZodOptional) {
    return isFreeText(type.unwrap() as z.ZodType);
  }
  if (type instanceof z.ZodArray) return isFreeText(type.element as z.ZodType);
  return !(
    type instanceof z.ZodNumber ||
    type instanceof z.ZodBoolean ||
    type instanceof z.ZodEnum ||
    type instanceof z.ZodLiteral
  );
}
