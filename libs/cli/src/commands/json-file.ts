import { readFile } from "node:fs/promises";
import { StagecraftError } from "@stagecraft/core";

/** The JSON in a file that the user named; errors name the file. */
export async function readJsonFile(path: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw StagecraftError.from(cause);
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    const { message } = cause as Error;
    throw new StagecraftError("invalid_argument", `${path} is not valid JSON: ${message}`, {
      cause,
    });
  }
}
