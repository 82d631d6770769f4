import type { AnswerEvent, ApiErrorCode } from "../../../src/http/api/index.js";
import { ApiError, send } from "./client.js";
import { readEvents } from "./event-stream.js";

export interface StreamedAnswer {
  answerId: string;
  text: string;
  finishReason: "stop" | "length";
}

/**
 * Asks a model for an answer and reports its text as it grows. Aborting stops the model. Throws ApiError,
 * also when the stream ends before the answer does.
 */
export async function streamAnswer(
  path: string,
  body: object,
  { onText, signal }: { onText: (text: string, answerId: string) => void; signal: AbortSignal },
): Promise<StreamedAnswer> {
  const response = await send("POST", path, body, signal);
  let [text, answerId] = ["", ""];
  try {
    for await (const data of readEvents(response)) {
      const event = JSON.parse(data) as AnswerEvent;
      if (event.type === "start") answerId = event.answerId;
      else if (event.type === "text") onText((text += event.text), answerId);
      else if (event.type === "error") {
        const { code, message, advice } = event.error;
        throw new ApiError(code as ApiErrorCode, message, advice);
      } else
        return { answerId: event.answerId, text: event.text, finishReason: event.finishReason };
    }
  } catch (error) {
    if (signal.aborted) throw new ApiError("cancelled", "Stopped.", "");
    throw ApiError.from(error);
  }
  throw new ApiError("unavailable", "The answer broke off.", "Ask again.");
}
