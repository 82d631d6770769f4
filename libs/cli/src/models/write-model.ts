import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { StagecraftError } from "@stagecraft/core";
import type { ModelDtype } from "@stagecraft/model";

export interface WriteModelAs {
  out: string;
  /** PEFT adapter that is added to the weights. */
  adapter?: string | undefined;
  /** Default: as it came; f32 with an adapter, which may add less than bf16 can tell. */
  dtype?: ModelDtype | undefined;
  /** 0: one file. */
  maxShardMegabytes?: number;
}

/** Files that are about the weights as they were. */
const ABOUT_OTHER_WEIGHTS = new Set(["lineage.json", "README.md", "signature.json"]);

/** A tokenizer's files; those beside an adapter are the ones that it was trained with. */
const TOKENIZER_FILES = [
  ...["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"],
  ...["chat_template.jinja", "generation_config.json"],
];

/** A model as another directory: in another type, in shards, an adapter merged in. */
export async function writeModelAs(
  dir: string,
  { out, adapter, dtype: asked, maxShardMegabytes = 0 }: WriteModelAs,
): Promise<{ dtype: ModelDtype; numParams: number }> {
  const { readWholeModel, saveModel } = await import("@stagecraft/model");
  const model = await readWholeModel(dir, { adapter });
  refuseEnsemble(dir, model.extra);
  const dtype = asked ?? (adapter === undefined ? model.dtype : "f32");
  const kept = Object.entries(model.files).filter(([name]) => !ABOUT_OTHER_WEIGHTS.has(name));
  const files = Object.fromEntries(kept);
  if (adapter !== undefined) await takeTokenizerOf(adapter, files);
  await saveModel(out, model, {
    ...{ tokenizerFiles: files, extra: model.extra, dtype },
    ...(maxShardMegabytes > 0 && { maxShardBytes: maxShardMegabytes * 1e6 }),
  });
  const numParams = [...model.tensors().values()].reduce((sum, { data }) => sum + data.length, 0);
  return { dtype, numParams };
}

/** Puts an adapter's tokenizer in the place of the base's; its chat template too, wherever either one stands. */
async function takeTokenizerOf(adapter: string, files: Record<string, string>): Promise<void> {
  if (!existsSync(join(adapter, "tokenizer.json"))) return;
  const names = TOKENIZER_FILES.filter((name) => existsSync(join(adapter, name)));
  const texts = await Promise.all(names.map((name) => readFile(join(adapter, name), "utf8")));
  const own = Object.fromEntries(names.map((name, i) => [name, texts[i]!]));
  const { templateSourceOf } = await import("@stagecraft/tokenizer");
  if (templateSourceOf(own) !== undefined) delete files["chat_template.jinja"];
  Object.assign(files, own);
}

function refuseEnsemble(dir: string, { rewardModel }: Record<string, unknown>): void {
  if ((rewardModel as { members?: unknown } | undefined)?.members === undefined) return;
  throw new StagecraftError(
    "unimplemented",
    `${dir} is a reward model of several members; only models of one are exported`,
  );
}
