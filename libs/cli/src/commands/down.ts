import type { Command } from "commander";
import type { CommandScope } from "../app/command.js";
import { EXIT_CODES } from "../app/exit-codes.js";
import { clusterLayout, outcomeText, stopCluster } from "@stagecraft/cluster";
import { addClusterFlags, clusterDirOf, type ClusterFlags } from "./cluster-flags.js";
import { examplesText } from "./stage-command.js";

/** `stagecraft down`: ends a cluster in order; runs are paused at a checkpoint. */
export function downCommand(command: Command, scope: CommandScope): void {
  addClusterFlags(command)
    .option("--json", "one JSON object: how each process ended")
    .addHelpText(
      "after",
      examplesText(["npx stagecraft down", "npx stagecraft down --name second"]),
    )
    .action(async (flags: ClusterFlags & { json?: boolean }) => {
      const ended = await stopCluster(clusterLayout(clusterDirOf(flags)));
      const text = ended === undefined ? "stopped while it was starting" : outcomeText(ended);
      scope.io.out.write(`${flags.json ? JSON.stringify({ ended: ended ?? [] }) : text}\n`);
      if (ended?.some(({ how }) => how === "killed")) scope.setExitCode(EXIT_CODES.failure);
    });
}
