import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { runCli } from "../../src/app/run-cli.js";
import { COMMANDS } from "../../src/commands/registry.js";
import type { CliIo } from "../../src/app/io.js";
import { ROOT } from "../spawn-cli.js";

/** A command line that a reader may copy. */
export interface DocumentedLine {
  /** The document, or `COMMAND --help`. */
  where: string;
  text: string;
  /** Stands within a sentence: may name a command without what it needs. */
  isMention: boolean;
}

const COMMAND = /^(?:\$ )?((?:npx stagecraft|npm run|npm test|node)(?: .*)?)$/;

const DOCUMENTS = ["*.md", "*.yaml", "examples/*.py", "examples/*.ts"];

/** The command lines of documents and examples; the log and the decisions tell the past. */
export function linesOfDocuments(): DocumentedLine[] {
  const listed = execFileSync("git", ["ls-files", ...DOCUMENTS], { cwd: ROOT, encoding: "utf8" });
  const files = listed.split("\n").filter((file) => file && !/docs\/(log|decisions)/.test(file));
  return files.flatMap((file) => {
    const text = readFileSync(join(ROOT, file), "utf8");
    const isProse = file.endsWith(".md");
    return linesOfText(isProse ? text : text.replace(/^ *(#|\*) */gm, "    "), file);
  });
}

/** The command lines in the code of a Markdown text: its blocks and the spans within sentences. */
export function linesOfText(text: string, where: string): DocumentedLine[] {
  const parts = text.split(/^```.*\n/m); // every second one is a block
  return parts.flatMap((part, i) => {
    if (i % 2 === 1) return commandsIn(part.split("\n"), { where, isMention: false }, true);
    const indented = part.split("\n").filter((line) => line.startsWith("    "));
    const spans = [...part.matchAll(/`([^`]+)`/g)].map(([, span]) =>
      span!.replace(/\s*\n\s*/g, " "),
    );
    return [
      ...commandsIn(indented, { where, isMention: false }, true),
      ...commandsIn(spans, { where, isMention: true }, false),
    ];
  });
}

function commandsIn(
  lines: readonly string[],
  facts: Omit<DocumentedLine, "text">,
  mayContinue: boolean,
): DocumentedLine[] {
  const whole = mayContinue
    ? lines
        .join("\n")
        .replace(/ *\\\n\s*/g, " ")
        .split("\n")
    : lines;
  return whole.flatMap((line) => {
    const [, text] = COMMAND.exec(line.trim().replace(/\s+(#|[|><&](?= |$)).*$/, "")) ?? [];
    return text === undefined ? [] : [{ ...facts, text }];
  });
}

/** The examples under `--help` of every command and of what stands below it. */
export async function linesOfHelp(): Promise<DocumentedLine[]> {
  const lines: DocumentedLine[] = [];
  for (const { name, load } of COMMANDS) {
    const children = await childrenOf(name, load);
    for (const path of [[name], ...children.map((child) => [name, child])]) {
      const { io, said } = quietIo();
      await runCli([...path, "--help"], io);
      const where = { where: `${path.join(" ")} --help`, isMention: false };
      lines.push(...commandsIn(said().split("\n"), where, true));
    }
  }
  return lines;
}

async function childrenOf(
  name: string,
  load: (typeof COMMANDS)[number]["load"],
): Promise<string[]> {
  const { Command } = await import("commander");
  const command = new Command(name);
  (await load())(command, {} as never);
  return command.commands.map((child) => child.name());
}

/** Streams that keep what a command says. */
export function quietIo(): { io: CliIo; said(): string } {
  const stream = new PassThrough();
  let text = "";
  stream.on("data", (chunk: Buffer) => (text += chunk.toString()));
  const io = { out: stream, err: stream, input: new PassThrough(), columns: () => 1000 };
  return { io: { ...io, isTerminal: false, isInteractive: false }, said: () => text };
}
