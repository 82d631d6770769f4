import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { streamAnswer, type StreamedAnswer } from "../api/answer-stream.js";
import { ApiError } from "../api/client.js";

/** An answer that is being written by a model. */
export interface AnswerWriter {
  /** What has come so far; null while nothing is asked for. */
  text: string | null;
  error: ApiError | undefined;
  /** Resolves with the answer, or with what had come of it when it was stopped or broke off. */
  ask: (body: object) => Promise<(StreamedAnswer & { isWhole: boolean }) | undefined>;
  stop: () => void;
}

/** Asks at `path` for answers, one at a time; leaving the page stops the model. */
export function useAnswer(path: string): AnswerWriter {
  const [text, setText] = useState<string | null>(null);
  const [error, setError] = useState<ApiError | undefined>();
  const abort = useRef<AbortController | null>(null);
  const stop = useCallback(() => abort.current?.abort(), []);
  useEffect(() => stop, []);
  const ask = useCallback(
    async (body: object) => {
      stop();
      const mine = (abort.current = new AbortController());
      let [soFar, id] = ["", ""];
      setText("");
      setError(undefined);
      try {
        const onText = (grown: string, answerId: string) => {
          [soFar, id] = [grown, answerId];
          if (abort.current === mine) setText(grown);
        };
        const answer = await streamAnswer(path, body, { onText, signal: mine.signal });
        return { ...answer, isWhole: true };
      } catch (thrown) {
        if (abort.current === mine) setError(ApiError.from(thrown));
        if (soFar === "") return undefined;
        return { answerId: id, text: soFar, finishReason: "length" as const, isWhole: false };
      } finally {
        if (abort.current === mine) setText(null);
      }
    },
    [path],
  );
  return { text, error, ask, stop };
}
