import { join } from "node:path";
import type { Command } from "commander";
import { atomicWriteFile } from "@stagecraft/checkpoint";
import { findRollouts, renderRollouts, rolloutText, type FoundRollouts } from "@stagecraft/report";
import type { CommandScope } from "../app/command.js";
import { UsageError } from "@stagecraft/config";
import { wholeFrom } from "./cluster-flags.js";
import { examplesText } from "./stage-command.js";

interface InspectFlags {
  run: string;
  update?: number;
  index?: number;
  html?: string | true;
  json?: boolean;
}

const EXAMPLES = [
  "npx stagecraft inspect runs/ppo",
  "npx stagecraft inspect runs/ppo --update 12 --html",
  "npx stagecraft inspect runs/ppo/rollouts/update-000012.jsonl --index 2",
  "npx stagecraft inspect u000011-000003/rollout --run runs/ppo",
];

/** `stagecraft inspect ROLLOUT`: every token of a sampled answer, as a table or as a page. */
export function inspectCommand(command: Command, { io }: CommandScope): void {
  command
    .argument("<rollout>", "a file of rollouts/, a run directory, or a rollout's id")
    .option("--run <dir>", "run directory to look in for an id", join("runs", "ppo"))
    .option("--update <n>", "of a run directory: which update (default: the last)", wholeFrom(0))
    .option("--index <n>", "which answer of the update (default: 1)", wholeFrom(1))
    .option("--html [file]", "write all answers as a coloured page (default: beside the rollouts)")
    .option("--json", "print the answer as one JSON line")
    .addHelpText("after", examplesText(EXAMPLES))
    .action(async (word: string, flags: InspectFlags) => {
      const { run: runDir, update } = flags;
      const found = await findRollouts(word, { runDir, ...(update !== undefined && { update }) });
      const { rollouts } = found;
      const index = flags.index ?? (found.wanted ?? 0) + 1;
      const rollout = rollouts[index - 1];
      if (!rollout) {
        throw new UsageError(`--index ${index}: ${found.file} holds ${rollouts.length} answers`);
      }
      if (flags.json) return void io.out.write(`${JSON.stringify(rollout)}\n`);
      if (flags.html !== undefined) {
        return void io.out.write(`${await writePage(found, flags.html)}\n`);
      }
      io.out.write(`${rolloutText(rollout, { maxWidth: Math.max(80, io.columns()) })}\n`);
      const more = `answer ${index} of ${rollouts.length} in ${found.file}; --index for another, --html for a page`;
      io.err.write(`\n${more}\n`);
    });
}

/** Writes the page and returns where it is. */
async function writePage(
  { file, rollouts, wanted }: FoundRollouts,
  target: string | true,
): Promise<string> {
  const page = target === true ? file.replace(/(\.jsonl)?$/, ".html") : target;
  const shown = wanted === undefined ? rollouts : [rollouts[wanted]!];
  const title = `Rollouts of update ${shown[0]!.update}`;
  await atomicWriteFile(page, renderRollouts(shown, { title }));
  return page;
}
