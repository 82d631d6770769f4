import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { StagecraftError, throwIfAborted } from "@stagecraft/core";
import { rankedMatter, validateRanking, type Ranking } from "@stagecraft/data";
import type { Answers } from "../ranking/answers.js";

/**
 * Has a program rank: it gets the answers as `collect` writes them, one prompt a line, on its standard
 * input, and writes rankings, one a line, on its standard output; what it says on standard error is shown
 * here. Prompts that it leaves out are not ranked. Throws `failed_precondition` when it cannot be started
 * or ends with another exit code than 0, `invalid_argument` naming the line of a bad ranking.
 */
export async function rankByCommand(
  command: string,
  sets: readonly Answers[],
  signal: AbortSignal,
): Promise<Ranking[]> {
  throwIfAborted(signal);
  const child = spawn(command, { shell: true, signal, stdio: ["pipe", "pipe", "pipe"] });
  const ended = new Promise<string | undefined>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, by) =>
      resolve(code === 0 ? undefined : (by ?? `exit code ${code}`)),
    );
  });
  child.stdin.on("error", () => undefined); // a program need not read all
  child.stdin.end(sets.map((set) => `${JSON.stringify(set)}\n`).join(""));
  const [output, complaint, failure] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    ended,
  ]).catch((cause: unknown) => {
    throwIfAborted(signal);
    throw commandFailed(command, String(cause), "");
  });
  throwIfAborted(signal);
  if (failure !== undefined) throw commandFailed(command, failure, complaint);
  return parseRankings(command, output, sets);
}

function commandFailed(command: string, how: string, complaint: string): StagecraftError {
  const said = complaint.trim().split("\n").slice(-3).join(" / ").slice(0, 500);
  return new StagecraftError(
    "failed_precondition",
    `the ranking program \`${command}\` ended with ${how}${said === "" ? "" : ` and said: ${said}`}; ` +
      "nothing of the round is lost: mend it and --resume",
  );
}

/** Checks every line: a ranking, of answers that were asked about. */
function parseRankings(command: string, output: string, sets: readonly Answers[]): Ranking[] {
  const asked = new Set(sets.map(rankedMatter));
  return output.split("\n").flatMap((line, i) => {
    if (line.trim() === "") return [];
    const where = `line ${i + 1} of what the ranking program \`${command}\` wrote`;
    const ranking = validateRanking(jsonOf(line, where), where);
    if (asked.has(rankedMatter(ranking))) return [ranking];
    throw new StagecraftError(
      "invalid_argument",
      `${where}: nobody asked about these answers; write prompt and answers as they came, and ranks`,
    );
  });
}

function jsonOf(line: string, where: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch (cause) {
    const shown = JSON.stringify(line.length > 80 ? `${line.slice(0, 80)}…` : line);
    throw new StagecraftError("invalid_argument", `${where} is not JSON: ${shown}`, { cause });
  }
}
