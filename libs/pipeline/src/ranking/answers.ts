import { readFile } from "node:fs/promises";
import { z } from "zod";
import { StagecraftError } from "@stagecraft/core";
import type { AnswerSet } from "@stagecraft/learn";

const message = z.object({ role: z.enum(["system", "user", "assistant"]), content: z.string() });
const answersSchema = z.object({
  id: z.string(),
  kind: z.string().optional(),
  prompt: z.array(message).min(1),
  answers: z.array(z.string()).min(1),
  reference: z.string().optional(),
});

/** Several answers to one prompt, not ranked yet. */
export type Answers = Omit<AnswerSet, "finishReasons">;

/** Reads what `collect` wrote; throws invalid_argument naming file and line of a malformed record. */
export async function readAnswers(file: string): Promise<Answers[]> {
  const lines = (await readFile(file, "utf8")).split("\n");
  return lines.flatMap((line, i) =>
    line.trim() === "" ? [] : [parseLine(line, `${file}:${i + 1}`)],
  );
}

function parseLine(line: string, where: string): Answers {
  try {
    return answersSchema.parse(JSON.parse(line)) as Answers;
  } catch (thrown) {
    const reason = thrown instanceof z.ZodError ? z.prettifyError(thrown) : "not valid JSON";
    throw new StagecraftError("invalid_argument", `${where}: ${reason}`, { cause: thrown });
  }
}
