import { stat } from "node:fs/promises";
import { join } from "node:path";
import { StagecraftError } from "@stagecraft/core";
import { listFiles } from "@stagecraft/data";
import { readModelDescription } from "@stagecraft/checkpoint";

/** Something that a stage reads, and the field of its configuration that names it. */
export interface StageInput {
  field: string;
  /** Records or texts (a file, or a folder of them), a model directory, a tokenizer's. */
  kind: "data" | "model" | "tokenizer";
  path: string;
  /** Only served elsewhere perhaps: noted where it can be read. */
  optional?: boolean;
}

/** Files and folders of data by field. */
export function dataInputs(fields: Readonly<Record<string, readonly string[]>>): StageInput[] {
  return Object.entries(fields).flatMap(([field, paths]) =>
    paths.map((path): StageInput => ({ field, kind: "data", path })),
  );
}

/** Model directories by field; a field that is empty names none. */
export function modelInputs(
  fields: Readonly<Record<string, string | readonly string[]>>,
): StageInput[] {
  return Object.entries(fields).flatMap(([field, paths]) =>
    [paths]
      .flat()
      .filter((path) => path !== "")
      .map((path): StageInput => ({ field, kind: "model", path })),
  );
}

/** Why an input cannot be read, as one sentence that names its field; undefined when it can. */
export async function inputProblem({ field, kind, path }: StageInput): Promise<string | undefined> {
  try {
    if (kind === "data") await listFiles(path);
    else if (kind === "model") await readModelDescription(path);
    else await stat(join(path, "tokenizer.json"));
    return undefined;
  } catch (thrown) {
    const { code, reason } = StagecraftError.from(thrown);
    const isNoTokenizer = kind === "tokenizer" && code === "not_found";
    return `${field}: ${isNoTokenizer ? `${path} has no tokenizer.json` : reason}`;
  }
}
