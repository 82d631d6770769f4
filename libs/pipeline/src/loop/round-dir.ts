import { join } from "node:path";

/** `rounds/0001`, … in the loop's run directory. */
export function roundDir(runDir: string, number: number): string {
  return join(runDir, "rounds", String(number).padStart(4, "0"));
}

/** The files of one name that the first `rounds` rounds left, whether they are there or not. */
export function roundFiles(runDir: string, rounds: number, name: string): string[] {
  return Array.from({ length: rounds }, (_, i) => join(roundDir(runDir, i + 1), name));
}

/** The rankings of the first `rounds` rounds. */
export function rankingFiles(runDir: string, rounds: number): string[] {
  return roundFiles(runDir, rounds, "rankings.jsonl");
}
