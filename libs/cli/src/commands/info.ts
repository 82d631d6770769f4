import type { Command } from "commander";
import { readModelDirectory } from "@stagecraft/checkpoint";
import { formatBytes, formatCount } from "@stagecraft/core";
import { generationDefaults, readModelInfo } from "@stagecraft/model";
import { loadTokenizer } from "@stagecraft/tokenizer";
import type { CommandScope } from "../app/command.js";
import { modelArgument, whereTo } from "../models/model-argument.js";
import { alignRows } from "../report/result-text.js";
import { examplesText } from "./stage-command.js";

/** `stagecraft info MODEL`: what a model directory holds, with every tensor read and checked. */
export function infoCommand(command: Command, scope: CommandScope): void {
  command
    .argument("<model>", "model directory, s3://BUCKET/NAME or nats://NAME")
    .option("--json", "one JSON object")
    .addHelpText("after", examplesText(["npx stagecraft info runs/demo/ppo/model"]))
    .action(async (dir: string, { json }: { json?: boolean }) => {
      const info = await describeModel(await modelArgument(dir, whereTo(scope)));
      scope.io.out.write(json ? `${JSON.stringify(info)}\n` : `${infoText(info)}\n`);
    });
}

type ModelInfo = Awaited<ReturnType<typeof describeModel>>;

async function describeModel(dir: string) {
  const { config, heads, extra, files } = await readModelInfo(dir);
  const { tensors } = await readModelDirectory(dir); // reads and checks every weight
  const entries = [...tensors.values()];
  const tokenizer = files["tokenizer.json"] === undefined ? undefined : await loadTokenizer(dir);
  return {
    dir,
    config,
    numTensors: entries.length,
    numParams: entries.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0),
    sizeBytes: entries.reduce((sum, { data }) => sum + data.byteLength, 0),
    dtypes: [...new Set(entries.map(({ dtype }) => dtype))],
    heads,
    extra,
    generation: generationDefaults(files, dir),
    files: Object.keys(files),
    ...(tokenizer && {
      tokenizer: {
        kind: tokenizer.kind,
        vocabSize: tokenizer.vocabSize,
        fingerprint: tokenizer.fingerprint,
      },
    }),
  };
}

function infoText(info: ModelInfo): string {
  const { config } = info;
  const attention = `${config.numHeads} heads, ${config.numKvHeads} for keys and values`;
  const { tokenizer } = info;
  const rows: [string, string][] = [
    [
      "architecture",
      `${config.architecture}, ${config.numLayers} layers of ${config.hiddenSize}, ${attention}`,
    ],
    ["vocabulary", String(config.vocabSize)],
    ["context", `${config.maxPositions} tokens`],
    [
      "parameters",
      `${formatCount(info.numParams)} in ${info.numTensors} tensors (${info.dtypes.join(", ")}), ${formatBytes(info.sizeBytes)}`,
    ],
    ["heads", info.heads.join(", ")],
    [
      "tokenizer",
      tokenizer ? `${tokenizer.kind}, ${tokenizer.vocabSize} tokens` : "none in the directory",
    ],
    ["generation", generationText(info.generation)],
    ["files", info.files.join(", ")],
  ];
  return [info.dir, ...alignRows(rows)].join("\n");
}

function generationText({ sampling, unsupported }: ModelInfo["generation"]): string {
  const own = Object.entries(sampling).map(([field, value]) => `${field} ${value}`);
  const not = unsupported.map((what) => `${what} (not supported, left out)`);
  return [...own, ...not].join(", ") || "no defaults of its own";
}
