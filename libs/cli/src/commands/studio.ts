import { spawn } from "node:child_process";
import { join } from "node:path";
import type { Command } from "commander";
import type { CommandScope } from "../app/command.js";
import { wholeNumberFlag } from "./cluster-flags.js";
import { examplesText } from "./stage-command.js";
import { engineSettings, type EngineSettings } from "@stagecraft/fields";
import { addEngineFlags } from "../flags/model-flags.js";

interface StudioFlags extends EngineSettings {
  from: string;
  port: number;
  open: boolean;
  minRankings: number;
  databaseUrl?: string;
  json?: boolean;
}

const EXAMPLES = [
  "npx stagecraft studio",
  "npx stagecraft studio --from runs/demo2 --port 8090 --no-open",
];

/** `stagecraft studio`: the pages on which people rank, write, chat, and start rounds of the loop. */
export function studioCommand(command: Command, scope: CommandScope): void {
  command
    .option("--from <dir>", "runs whose models answer and learn", join("runs", "demo"))
    .addOption(wholeNumberFlag("--port", "port of the pages; 0 = any free one", 8080))
    .option("--no-open", "do not open a browser")
    .addOption(wholeNumberFlag("--min-rankings", "rankings that a round waits for", 10, { min: 1 }))
    .option("--database-url <url>", "PostgreSQL instead of the embedded database");
  addEngineFlags(command)
    .option("--json", "print one JSON object when the pages are there")
    .addHelpText("after", examplesText(EXAMPLES))
    .action((flags: StudioFlags) => studio(flags, scope));
}

async function studio(flags: StudioFlags, { io, signal }: CommandScope): Promise<void> {
  // Only now: the tensor engine takes a second to load, and --help does not need it.
  const { openStudio } = await import("../studio/studio.js");
  const { databaseUrl, ...options } = { ...flags, engine: engineSettings(flags) };
  const warn = (text: string) => void io.err.write(`${text}\n`);
  await using opened = await openStudio({ ...options, warn, ...(databaseUrl && { databaseUrl }) });
  const { url, signInLink } = opened;
  const text = `Studio: ${signInLink}\n\nThe link signs the operator in, once; the pages are at ${url}. Ctrl-C stops everything.\n`;
  io.out.write(flags.json ? `${JSON.stringify({ url, signInLink })}\n` : text);
  if (flags.open && io.isInteractive) openBrowser(signInLink);
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** By the system's own opener; a machine without one has the link in the terminal. */
function openBrowser(link: string): void {
  const program = { darwin: "open", win32: "explorer" }[process.platform as string] ?? "xdg-open";
  spawn(program, [link], { stdio: "ignore", detached: true })
    .on("error", () => undefined)
    .unref();
}
