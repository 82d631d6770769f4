import { InvalidArgumentError, Option, type Command } from "commander";
import { defaultClusterDir } from "@stagecraft/cluster";

/** Which cluster of this machine is meant. */
export interface ClusterFlags {
  name: string;
  dir?: string;
}

/** Adds --name and --dir. */
export function addClusterFlags(command: Command): Command {
  return command
    .addOption(
      new Option("--name <name>", "which cluster").default("main").argParser((text) => {
        if (/^[A-Za-z0-9_-]{1,48}$/.test(text)) return text;
        throw new InvalidArgumentError("expected 1 to 48 letters, digits, - or _");
      }),
    )
    .option("--dir <dir>", "its folder (default: .stagecraft/cluster/NAME)");
}

/** The folder that the flags mean. */
export function clusterDirOf({ name, dir }: ClusterFlags): string {
  return dir ?? defaultClusterDir(name);
}

/** A flag that takes a whole number; the message of a wrong one names it. */
export function wholeNumberFlag(
  flag: string,
  doc: string,
  value: number,
  { min = 0 }: { min?: number } = {},
): Option {
  return new Option(`${flag} <n>`, doc).default(value).argParser(wholeFrom(min));
}

/** Reads a whole number; throws commander's own error, which becomes a usage error with the flag's name. */
export function wholeFrom(min: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== "" && Number.isSafeInteger(value) && value >= min) return value;
    throw new InvalidArgumentError(`expected a whole number of ${min} or more`);
  };
}
