import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describeConfig, type ConfigSchema } from "@stagecraft/config";
import { silentReporter } from "@stagecraft/runs";
import { applyToAll, createProgram } from "../../src/app/create-program.js";
import { runCli } from "../../src/app/run-cli.js";
import { ROOT } from "../spawn-cli.js";
import { quietIo, type DocumentedLine } from "./lines.js";

const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
  scripts: Record<string, string>;
};

/** Programs that hand their arguments on, and to whom. */
const BEHIND: Readonly<Record<string, string>> = {
  "tools/faults.mjs": "libs/faults/src/main.ts",
  "tools/hostile.mjs": "libs/faults/src/hostile/main.ts",
  "examples/python/run.mjs": "examples/python/client.py",
  "examples/typescript/dist/client.js": "examples/typescript/client.ts",
};

const STAGES = [
  "tokenizer",
  "pretrain",
  "sft",
  "collect",
  "reward",
  "dpo",
  "ppo",
  "loop",
  "evaluate",
];

/** What is wrong with a command line as the commands are now; empty when nothing is. */
export async function problemOf(line: DocumentedLine): Promise<string> {
  try {
    return missingFile(line.text) ?? (await problemOfWords(wordsOf(line.text), line.isMention));
  } catch (thrown) {
    return thrown instanceof Error ? thrown.message : String(thrown);
  }
}

async function problemOfWords(words: readonly string[], isMention: boolean): Promise<string> {
  const [program, first = "", ...rest] = words;
  if (program === "npx") return problemOfCli(rest, isMention);
  if (program === "node") return problemOfNode(first, rest);
  return first === "run" ? problemOfScript(rest, isMention) : "";
}

async function problemOfScript([name = "", ...rest]: readonly string[], isMention: boolean) {
  const script = scripts[name];
  if (script === undefined) return `package.json has no script ${name}`;
  const given = rest.slice(rest.indexOf("--") + 1);
  if (given.length > 0 && rest[0] !== "--") return `npm keeps ${rest[0]}: write -- before it`;
  const [, file, args = ""] = /node (\S+\.m?js)([^&]*)$/.exec(script) ?? [];
  if (file === undefined) return given.length > 0 ? `${name} takes nothing` : "";
  const all = [...wordsOf(args), ...given];
  const isCli = file === "tools/stagecraft.mjs" || file === "libs/cli/bin/stagecraft.mjs";
  return isCli ? problemOfCli(all, isMention) : problemOfNode(file, all);
}

async function problemOfCli(args: readonly string[], isMention: boolean): Promise<string> {
  if (args[0] === "COMMAND") return "";
  const isName = isMention && !args.some((arg) => arg.startsWith("-")) && args.length <= 2;
  await parse(isName ? [...args, "--help"] : args);
  const isWhole = !isName && STAGES.includes(args[0]!) && !args.includes("--cluster");
  return isWhole && !args.includes("--help") ? problemOfStage(args) : "";
}

/** Reads a command line by the real definitions, without doing what it says. */
async function parse(args: readonly string[]): Promise<void> {
  const { io, said } = quietIo();
  const scope = {
    ...{ io, signal: new AbortController().signal, setExitCode: () => undefined },
    createReporter: () => ({
      ...silentReporter(),
      result: () => undefined,
      close: () => undefined,
    }),
  };
  const program = await createProgram(args, scope);
  applyToAll(program, (command) => {
    if (command.commands.length === 0) command.action(() => undefined);
  });
  await program.parseAsync(args, { from: "user" }).catch((thrown: { exitCode?: number }) => {
    if (thrown.exitCode !== 0) throw new Error(said(), { cause: thrown });
  });
}

/** Whether the settings of a stage are sound; files that are not there do not count. */
async function problemOfStage(args: readonly string[]): Promise<string> {
  const { io, said } = quietIo();
  const code = await runCli([...args, "--dry-run"], io);
  return code === 0 || said().startsWith("[not_found]") ? "" : said();
}

async function problemOfNode(file: string, args: readonly string[]): Promise<string> {
  const flags = args.filter((arg) => arg.startsWith("--")).map((arg) => arg.replace(/=.*/, ""));
  const [, service] = /^services\/([\w-]+)\/dist\/main\.js$/.exec(file) ?? [];
  const known = service === undefined ? flagsIn(BEHIND[file] ?? file) : await flagsOf(service);
  const unknown = flags.filter((flag) => !known(flag));
  return unknown.length === 0 ? "" : `${file} does not take ${unknown.join(", ")}`;
}

async function flagsOf(service: string): Promise<(flag: string) => boolean> {
  const exported = (await import(`@stagecraft/service-${service}`)) as Record<string, unknown>;
  const [, schema] = Object.entries(exported).find(([name]) => name.endsWith("Schema"))!;
  const flags = describeConfig(schema as ConfigSchema).map(({ flag }) => flag);
  return (flag) => flag === "--help" || flags.includes(flag);
}

/** The flags that a program's sources name, those it imports from beside it included. */
function flagsIn(file: string): (flag: string) => boolean {
  const text = sourcesOf(file, new Set()).join("\n");
  return (flag) => {
    const name = flag.slice(2);
    return new RegExp(`--${name}\\b|["']${name}["']:|\\b${name}:`).test(text);
  };
}

function sourcesOf(file: string, seen: Set<string>): string[] {
  const path = [file, file.replace(/\.js$/, ".ts")].find((each) => existsSync(join(ROOT, each)));
  if (path === undefined || seen.has(path)) return [];
  seen.add(path);
  const text = readFileSync(join(ROOT, path), "utf8");
  const imports = [...text.matchAll(/from "(\.[^"]+)"/g)].map(([, name]) => name!);
  return [
    text,
    ...imports.flatMap((name) => sourcesOf(normalize(join(dirname(path), name)), seen)),
  ];
}

/** A file of this repository that the line names and that is not there, before or after a build. */
function missingFile(text: string): string | undefined {
  const named = wordsOf(text).filter((word) =>
    /^(examples|deploy|tools|libs|services|bench)\//.test(word),
  );
  const isThere = (path: string) => existsSync(join(ROOT, path));
  const source = (path: string) => path.replace("/dist/", "/src/").replace(/\.js$/, ".ts");
  const missing = named.find((path) => !isThere(path) && !isThere(source(path)));
  return missing === undefined ? undefined : `there is no ${missing}`;
}

/** Words as a shell makes them, with quotes; what is in brackets may be left out. */
function wordsOf(line: string): string[] {
  const words = line.replace(/\[[^\]]*\]/g, "").matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g);
  return [...words].map(([, single, double, plain]) => single ?? double ?? plain!);
}
