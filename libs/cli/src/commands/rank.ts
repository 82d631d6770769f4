import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import type { Command } from "commander";
import colors from "picocolors";
import { rawStream, StagecraftError } from "@stagecraft/core";
import { MAX_ANSWERS, readRankings, writeRankings, type Ranking } from "@stagecraft/data";
import { readAnswers, type Answers } from "@stagecraft/pipeline";
import type { CommandScope } from "../app/command.js";
import { createRankingSession, type RankingSession, type Shown } from "../rank/session.js";
import { examplesText } from "./stage-command.js";

interface RankFlags {
  out?: string;
  rater: string;
  json?: boolean;
}

const EXAMPLES = [
  "npx stagecraft rank runs/collect/answers.jsonl",
  "npx stagecraft rank runs/loop/rounds/0001/collect/answers.jsonl --out runs/loop/inbox/ann.jsonl --rater ann",
];

const HELP =
  "one digit for each answer, 1 = best, the same digit = a tie; s skips, u undoes, q leaves and keeps";

/** `stagecraft rank`: a person ranks sampled answers in the terminal. */
export function rankCommand(command: Command, scope: CommandScope): void {
  command
    .argument("<answers>", "sampled answers (JSONL), as `collect` and `loop` write them")
    .option("--out <file>", "rankings (JSONL); default rankings.jsonl beside the answers")
    .option("--rater <name>", "who ranks; of one rater the last word counts", "me")
    .option("--json", "print the result as NDJSON")
    .addHelpText("after", `\n${HELP}.\n${examplesText(EXAMPLES)}`)
    .action(async (answers: string, flags: RankFlags) => {
      const out = flags.out ?? join(dirname(answers), "rankings.jsonl");
      const sets = comparable(await readAnswers(answers), scope);
      const session = createRankingSession(sets, {
        rater: flags.rater,
        earlier: await readEarlier(out),
      });
      await converse(session, sets.length, { ...scope, out });
      const ranked = session.numRanked();
      const rest = sets.length - ranked;
      const more = rest === 0 ? "" : `; ${rest} are left, the same command goes on`;
      const reporter = scope.createReporter({ json: flags.json === true });
      const record = { rankings: out, ranked, prompts: sets.length };
      reporter.result(record, `${ranked} of ${sets.length} prompts ranked, in ${out}${more}`);
      reporter.close();
    });
}

/** Prompts with as many answers as a ranking compares; others are counted and left out. */
function comparable(sets: readonly Answers[], { io }: CommandScope): Answers[] {
  const fit = sets.filter(({ answers }) => answers.length >= 2 && answers.length <= MAX_ANSWERS);
  const left = sets.length - fit.length;
  if (left > 0) {
    io.err.write(`${left} prompts do not have 2 to ${MAX_ANSWERS} answers: left out\n`);
  }
  if (fit.length > 0) return fit;
  throw new StagecraftError("invalid_argument", "there is no prompt with answers to rank");
}

async function readEarlier(file: string): Promise<Ranking[]> {
  const rankings: Ranking[] = [];
  if (existsSync(file)) for await (const ranking of readRankings(file)) rankings.push(ranking);
  return rankings;
}

/** Until all is ranked, the input ends, `q`, or Ctrl-C; every ranking is on disk before the next. */
async function converse(
  session: RankingSession,
  numPrompts: number,
  { io, signal, out }: CommandScope & { out: string },
): Promise<void> {
  const say = (text: string) => void io.err.write(`${text}\n`);
  const lines = createInterface({
    input: io.input,
    ...(io.isInteractive && { output: rawStream(io.err), prompt: "> " }),
    terminal: io.isInteractive,
  });
  signal.addEventListener("abort", () => lines.close(), { once: true });
  lines.on("SIGINT", () => lines.close());
  const ask = () => {
    const shown = session.current();
    if (!shown) return lines.close();
    say(promptText(shown, `${session.numRanked() + 1} of ${numPrompts}`));
    if (io.isInteractive) lines.prompt();
  };
  say(HELP);
  ask();
  for await (const line of lines) {
    const word = line.trim().toLowerCase();
    if (word === "q") break;
    if (word === "s") session.skip();
    else if (word === "u") {
      if (!session.undo()) say("there is nothing to undo");
      else await writeRankings(out, session.rankings());
    } else if (word !== "") {
      const problem = session.rank(word.replace(/[\s,]/g, ""));
      if (problem !== undefined) say(problem);
      else await writeRankings(out, session.rankings());
    }
    if (session.current() === undefined) break;
    ask();
  }
  lines.close();
}

function promptText({ set, order }: Shown, where: string): string {
  const turns = set.prompt.map(({ role, content }) => `${colors.bold(role)}: ${content}`);
  const answers = order.map((place, i) => `${colors.cyan(`[${i + 1}]`)} ${set.answers[place]}`);
  return ["", colors.dim(`── ${where} ──`), ...turns, "", ...answers].join("\n");
}
