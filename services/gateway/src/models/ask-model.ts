import { randomUUID } from "node:crypto";
import { StagecraftError } from "@stagecraft/core";
import type { AnswerEvent, Sampling, Turn } from "../http/api/index.js";
import type { HttpContext } from "../http/context.js";
import { errorOf, failureOf } from "../http/failure.js";
import { answerWith } from "./models.js";

export interface Question {
  person: string;
  purpose: "write" | "break" | "chat";
  turns: Turn[];
  model: string;
  sampling: Partial<Sampling>;
  signal: AbortSignal;
}

/** Answers of one person that are being written at the same time. */
const MAX_STREAMS = 4;
const streams = new Map<string, number>();

/** Takes one of a person's places; throws `resource_exhausted` when all are taken. */
export function takeStream(person: string): () => void {
  const number = streams.get(person) ?? 0;
  if (number >= MAX_STREAMS) {
    throw new StagecraftError(
      "resource_exhausted",
      `${MAX_STREAMS} answers are being written for you`,
      {
        details: { advice: "wait for one of them, or stop one" },
      },
    );
  }
  streams.set(person, number + 1);
  return () => {
    const left = streams.get(person)! - 1;
    if (left > 0) streams.set(person, left);
    else streams.delete(person);
  };
}

/** Streams an answer, and keeps it before it says that it is done: ids of answers lead to what was said. */
export async function* askModel(
  { models, database, logger }: HttpContext,
  { person, purpose, turns, model, sampling, signal }: Question,
): AsyncGenerator<AnswerEvent> {
  const answerId = randomUUID();
  yield { type: "start", answerId };
  let text = "";
  try {
    for await (const part of answerWith(models, { turns, model, sampling, signal })) {
      if ("text" in part) {
        text += part.text;
        yield { type: "text", text: part.text };
        continue;
      }
      const row = { id: answerId, person_id: person, purpose, text: withoutNul(text) };
      const { modelVersion: model_version, finishReason } = part;
      const values = { ...row, turns: JSON.stringify(turns), model_version };
      await database.db.insertInto("answers").values(values).execute();
      yield { type: "done", answerId, text, finishReason };
    }
  } catch (thrown) {
    if (signal.aborted) return;
    const error = errorOf(thrown);
    logger.warn({ err: error }, "http: a model's answer failed");
    yield { type: "error", error: failureOf(error).body.error };
  }
}

/** Models of bytes can say it; texts of the database cannot hold it. */
const withoutNul = (text: string) => text.replaceAll("\0", "\u2400");

/** An answer that this person was given; throws `not_found`. */
export async function answerOf({ database }: HttpContext, id: string, person: string) {
  const row = await database.db
    .selectFrom("answers")
    .selectAll()
    .where("id", "=", id)
    .where("person_id", "=", person)
    .executeTakeFirst();
  if (row) return row;
  throw new StagecraftError("not_found", "that answer is not one of yours", {
    details: { field: "answerId" },
  });
}
