import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import { f32, writeSafetensors, type TensorEntry } from "@stagecraft/checkpoint";
import { StagecraftError } from "@stagecraft/core";
import { engineOptions, type EngineSettings } from "@stagecraft/fields";
import type { Model } from "@stagecraft/model";
import type { CommandScope } from "../app/command.js";
import { addEngineFlags } from "../flags/model-flags.js";
import { modelArgument, whereTo } from "../models/model-argument.js";
import { examplesText } from "./stage-command.js";

interface LogitsFlags extends EngineSettings {
  ids: string;
  out: string;
  json?: boolean;
}

/** `stagecraft logits MODEL --ids FILE --out FILE`: the logits of given tokens, to compare with other tools. */
export function logitsCommand(command: Command, scope: CommandScope): void {
  const { io } = scope;
  command
    .argument("<model>", "model directory")
    .requiredOption("--ids <file>", "JSON: one list of token ids a sequence")
    .requiredOption("--out <file>", "safetensors: logits.0, logits.1, … of [tokens, vocabulary]");
  addEngineFlags(command)
    .option("--json", "one JSON object")
    .addHelpText(
      "after",
      examplesText([
        "npx stagecraft logits runs/demo/ppo/model --ids ids.json --out logits.safetensors",
      ]),
    )
    .action(async (dir: string, flags: LogitsFlags) => {
      const sequences = parseIds(await readText(flags.ids), flags.ids);
      const { loadModel } = await import("@stagecraft/model");
      const { initEngine } = await import("@stagecraft/tensor");
      const { name } = await initEngine(engineOptions(flags));
      const model = await loadModel(await modelArgument(dir, whereTo(scope)), { heads: ["lm"] });
      await writeSafetensors(flags.out, logitsOf(model, sequences));
      const { vocabSize } = model.config;
      model.dispose();
      const result = { out: flags.out, numSequences: sequences.length, vocabSize, engine: name };
      const text = `${flags.out}: logits of ${sequences.length} sequences, ${vocabSize} a token`;
      io.out.write(flags.json ? `${JSON.stringify(result)}\n` : `${text}\n`);
    });
}

function logitsOf(model: Model, sequences: readonly Int32Array[]): Map<string, TensorEntry> {
  const entries = sequences.map((ids, i): [string, TensorEntry] => {
    const logits = model.logits({ ids, batchSize: 1, length: ids.length });
    const values = new Float32Array(logits.dataSync());
    logits.dispose();
    return [`logits.${i}`, f32(logits.shape, values)];
  });
  return new Map(entries);
}

async function readText(file: string): Promise<string> {
  return readFile(file, "utf8").catch((cause: unknown) => {
    throw new StagecraftError("not_found", `--ids: cannot read ${file}`, { cause });
  });
}

/** Whole numbers from 0 up; whether the model knows them is the model's to say. */
function parseIds(text: string, file: string): Int32Array[] {
  const lists = parseJson(text, file);
  if (!Array.isArray(lists) || lists.length === 0) {
    throw wrong(file, "must hold a list of lists of token ids, such as [[1, 2, 3]]");
  }
  return lists.map((list: unknown, i) => {
    if (!Array.isArray(list) || list.length === 0) throw wrong(file, `[${i}] is not a list of ids`);
    list.forEach((id: unknown, at) => {
      if (Number.isInteger(id) && (id as number) >= 0 && (id as number) < 2 ** 31) return;
      throw wrong(file, `[${i}][${at}] is ${JSON.stringify(id)}, not a token id`);
    });
    return Int32Array.from(list as number[]);
  });
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw wrong(file, "is not JSON", cause);
  }
}

const wrong = (file: string, problem: string, cause?: unknown) =>
  new StagecraftError("invalid_argument", `--ids: ${file} ${problem}`, { cause });
