import { formatBytes, formatCount } from "@stagecraft/core";
import { LINEAGE_FILE, UNKNOWN, type DataFile, type Lineage, type Parent } from "./lineage.js";

/** What each stage makes, for people. */
const MADE: Readonly<Record<string, string>> = {
  pretrain: "A base model: it continues text. It was not taught to answer.",
  sft: "A model that answers, fine-tuned on demonstrations of ideal answers.",
  reward: "A reward model: it gives an answer a score, learnt from people's rankings.",
  "reward-member": "One member of an ensemble of reward models.",
  dpo: "A model that answers, trained on ranked answers directly (DPO).",
  ppo: "A model that answers, improved with PPO against a reward model.",
};

/** The model card in Hugging Face's form: YAML for machines, then Markdown for people. */
export function modelCard(lineage: Lineage): string {
  const { stage, config, figures, versions, commit, model } = lineage;
  return [
    frontMatter(stage),
    `# Model made by \`${stage}\``,
    MADE[stage] ?? `Made by the stage \`${stage}\`.`,
    `Everything below is also in \`${LINEAGE_FILE}\`, for programs. sha256 of the weights: \`${model.sha256}\` (${formatBytes(model.sizeBytes)}).`,
    ...section("Made from", lineage.parents.map(parentLine)),
    ...section("Data", lineage.data.slice(0, MAX_FILES).map(dataLine), {
      more: lineage.data.length - MAX_FILES,
    }),
    ...table("Figures", figures),
    ...table("Configuration", config),
    ...table("Versions", { ...versions, commit }),
  ]
    .join("\n\n")
    .concat("\n");
}

const MAX_FILES = 50;

function frontMatter(stage: string): string {
  const task = stage.startsWith("reward") ? "text-classification" : "text-generation";
  const lines = ["library_name: transformers", `pipeline_tag: ${task}`];
  return ["---", ...lines, "tags:", "  - stagecraft", `  - ${stage}`, "---"].join("\n");
}

function parentLine({ field, path, sha256, stage, note }: Parent): string {
  const made = stage === UNKNOWN ? `of unknown origin${note ? ` (${note})` : ""}` : `by ${stage}`;
  return `- \`${field}\`: ${code(path)}, ${made}, sha256 \`${sha256}\``;
}

function dataLine({ field, path, sha256, numFiles, numLines, sizeBytes }: DataFile): string {
  const lines = numLines === undefined ? "" : `${formatCount(numLines)} lines, `;
  const files = numFiles === undefined ? "" : `${numFiles} files, `;
  return `- \`${field}\`: ${code(path)}, ${files}${lines}${formatBytes(sizeBytes)}, sha256 \`${sha256}\``;
}

function section(title: string, lines: readonly string[], { more = 0 } = {}): string[] {
  if (lines.length === 0) return [];
  const rest = more > 0 ? [`- and ${more} more`] : [];
  return [`## ${title}`, [...lines, ...rest].join("\n")];
}

function table(title: string, values: object): string[] {
  const rows = Object.entries(values).map(([name, value]) => `| ${name} | ${cell(value)} |`);
  if (rows.length === 0) return [];
  return [`## ${title}`, ["| | |", "| --- | --- |", ...rows].join("\n")];
}

function cell(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.replaceAll("|", "\\|").replace(/\s+/g, " ");
}

/** A path may hold anything that a file's name may. */
function code(path: string): string {
  return `\`${path.replace(/[`\r\n]/g, "?")}\``;
}
