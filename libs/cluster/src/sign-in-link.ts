import { readFile } from "node:fs/promises";

/**
 * The link that signs the first operator in, as the gateway has logged it last; undefined when somebody
 * who operates has signed in before.
 */
export async function readSignInLink(logFile: string): Promise<string | undefined> {
  const log = await readFile(logFile, "utf8").catch(() => "");
  return log
    .split("\n")
    .map(linkOf)
    .findLast((link) => link !== undefined);
}

function linkOf(line: string): string | undefined {
  if (!line.includes('"link"')) return undefined;
  try {
    const { link } = JSON.parse(line) as { link?: unknown };
    return typeof link === "string" ? link : undefined;
  } catch {
    return undefined; // half a line
  }
}
