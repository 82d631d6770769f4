import { basename, resolve } from "node:path";
import { Option, type Command } from "commander";
import { UsageError } from "@stagecraft/config";
import type { GgufType, ModelDtype } from "@stagecraft/model";
import type { CommandScope } from "../app/command.js";
import { modelArgument, whereTo } from "../models/model-argument.js";
import { writeModelAs } from "../models/write-model.js";
import { wholeNumberFlag } from "./cluster-flags.js";
import { examplesText } from "./stage-command.js";

interface ModelFlags {
  out: string;
  adapter?: string;
  dtype?: ModelDtype;
  maxShardMegabytes: number;
  json?: boolean;
}

/** `stagecraft export model`: a model as another directory: other type, shards, an adapter merged in. */
export function exportModelCommand(command: Command, scope: CommandScope): void {
  command
    .description("a model in another type, in shards, or with a PEFT adapter merged into it")
    .argument("<model>", "model directory")
    .requiredOption("--out <dir>", "model directory that is written")
    .option("--adapter <dir>", "PEFT adapter (LoRA) that is added to the weights")
    .addOption(dtypeFlag(["f32", "bf16", "f16"]))
    .addOption(
      wholeNumberFlag("--max-shard-megabytes", "larger weights become several files; 0 = one", 0),
    )
    .option("--json", "print the result as NDJSON")
    .addHelpText(
      "after",
      examplesText([
        "npx stagecraft export model runs/demo/ppo/model --dtype bf16 --out assistant-bf16",
        "npx stagecraft export model models/base --adapter adapters/mine --out models/mine",
      ]),
    )
    .action((dir: string, flags: ModelFlags) => exportModel(dir, flags, scope));
}

async function exportModel(dir: string, flags: ModelFlags, scope: CommandScope): Promise<void> {
  const { out } = flags;
  const result = await writeModelAs(await modelArgument(dir, whereTo(scope)), flags);
  const { dtype, numParams } = result;
  tell(scope.io, flags, { out, ...result }, `${out}: ${numParams} parameters in ${dtype}`);
}

interface AdapterFlags {
  base: string;
  out: string;
  maxRank: number;
  json?: boolean;
}

/** `stagecraft export adapter`: what LoRA learnt, for PEFT. */
export function exportAdapterCommand(command: Command, { io }: CommandScope): void {
  command
    .description("what training with adapters learnt, as a PEFT adapter (LoRA) of its base model")
    .argument("<model>", "model directory, trained from the base with --lora-rank")
    .requiredOption("--base <dir>", "model directory it was trained from")
    .requiredOption("--out <dir>", "directory that is written")
    .addOption(wholeNumberFlag("--max-rank", "refuse a change of more ranks", 256, { min: 1 }))
    .option("--json", "print the result as NDJSON")
    .addHelpText(
      "after",
      examplesText([
        "npx stagecraft export adapter runs/ppo/model --base runs/sft/model --out adapter",
      ]),
    )
    .action(async (model: string, flags: AdapterFlags) => {
      const { saveAdapter } = await import("@stagecraft/model");
      const { base, out, maxRank } = flags;
      const { rank, modules } = await saveAdapter(out, { base, model, maxRank });
      const result = { out, rank, numModules: modules.length };
      tell(io, flags, result, `${out}: rank ${rank}, of ${modules.length} maps of ${base}`);
    });
}

interface GgufFlags {
  out: string;
  dtype: GgufType;
  pre?: string;
  json?: boolean;
}

/** `stagecraft export gguf`: a model and its tokenizer in one file for llama.cpp. */
export function exportGgufCommand(command: Command, scope: CommandScope): void {
  command
    .description("a language model and its tokenizer as one GGUF file, for llama.cpp")
    .argument("<model>", "model directory")
    .requiredOption("--out <file>", "file that is written; ends in .gguf")
    .addOption(
      new Option("--dtype <type>", "of the matrices")
        .choices(["f32", "f16", "bf16", "q8_0"])
        .default("f16"),
    )
    .option(
      "--pre <name>",
      "the nearest that llama.cpp has of a tokenizer that it has not itself: some texts get other tokens then",
    )
    .option("--json", "print the result as NDJSON")
    .addHelpText(
      "after",
      examplesText([
        "npx stagecraft export gguf models/smollm2 --dtype q8_0 --out smollm2.gguf",
        "npx stagecraft export gguf runs/demo/ppo/model --pre qwen2 --out assistant.gguf",
      ]),
    )
    .action(async (model: string, flags: GgufFlags) => {
      const { exportGguf } = await import("@stagecraft/model");
      const { out, dtype, pre } = flags;
      requireEnding("--out", out, ".gguf");
      const dir = await modelArgument(model, whereTo(scope));
      const result = await exportGguf(dir, out, { dtype, pre, name: basename(resolve(model)) });
      const types = Object.entries(result.types).map(([type, count]) => `${count} in ${type}`);
      const text = `${out}: ${result.numTensors} tensors, ${types.join(", ")}`;
      tell(scope.io, flags, { out, dtype, ...result }, [text, ...result.notes].join("\n"));
    });
}

function dtypeFlag(choices: readonly string[]): Option {
  const text = "type of the weights (default: as they are; f32 with an adapter)";
  return new Option("--dtype <type>", text).choices(choices);
}

function tell(
  { out }: Pick<CommandScope["io"], "out">,
  { json }: { json?: boolean },
  result: object,
  text: string,
): void {
  out.write(json ? `${JSON.stringify(result)}\n` : `${text}\n`);
}

/** Throws where a flag must name a file of this ending. */
function requireEnding(flag: string, file: string, ending: string): void {
  if (file.endsWith(ending)) return;
  throw new UsageError(`${flag} ${file} must end in ${ending}`);
}
