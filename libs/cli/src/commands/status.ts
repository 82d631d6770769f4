import { setTimeout as delay } from "node:timers/promises";
import type { Command } from "commander";
import type { CommandScope } from "../app/command.js";
import { clusterLayout, connectControl, openLiveScreen, renderStatus } from "@stagecraft/cluster";
import { addClusterFlags, clusterDirOf, type ClusterFlags } from "./cluster-flags.js";
import { examplesText } from "./stage-command.js";

interface StatusFlags extends ClusterFlags {
  watch?: boolean;
  json?: boolean;
}

const EXAMPLES = [
  "npx stagecraft status",
  "npx stagecraft status --watch",
  "npx stagecraft status --json",
];
const EVERY_MS = 1000;

/** `stagecraft status`: who is up and what a running cluster does. */
export function statusCommand(command: Command, scope: CommandScope): void {
  addClusterFlags(command)
    .option("--watch", "go on until Ctrl-C")
    .option("--json", "one JSON object, with --watch one a second")
    .addHelpText("after", examplesText(EXAMPLES))
    .action((flags: StatusFlags) => showStatus(flags, scope));
}

async function showStatus(flags: StatusFlags, { io, signal }: CommandScope): Promise<void> {
  const control = connectControl(clusterLayout(clusterDirOf(flags)));
  const first = await control.status();
  if (!flags.watch) {
    const lines = renderStatus(first, { columns: io.columns(), rows: Infinity });
    io.out.write(`${flags.json ? JSON.stringify(first) : lines.join("\n")}\n`);
    return;
  }
  const screen = !flags.json && io.isTerminal ? openLiveScreen(io.err) : undefined;
  try {
    for (let status = first; !signal.aborted; status = await control.status()) {
      if (flags.json) io.out.write(`${JSON.stringify(status)}\n`);
      else if (screen) screen.draw(renderStatus(status, screen.size()));
      else {
        const size = { columns: io.columns(), rows: Infinity };
        io.out.write(`${renderStatus(status, size).join("\n")}\n\n`);
      }
      await delay(EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
  } finally {
    screen?.close();
  }
}
