import type { policy } from "@stagecraft/contracts";
import { finishOf } from "./answers.js";
import type { AnswerFormat } from "./respond.js";
import { tokenBytes, tokenName } from "./token-text.js";

interface TokenEntry {
  token: string;
  logprob: number;
  bytes: number[] | null;
  top_logprobs: Omit<TokenEntry, "top_logprobs">[];
}

/** Chat completions, whole and in pieces. */
export function chatFormat(withLogProbs: boolean): AnswerFormat {
  const logprobsOf = (entries: TokenEntry[]) =>
    withLogProbs ? { content: entries, refusal: null } : null;
  const started = new Set<number>();
  return {
    idPrefix: "chatcmpl-",
    object: "chat.completion",
    piecesObject: "chat.completion.chunk",
    whole(choice, pieces) {
      const content = pieces.map(({ text }) => text).join("");
      return {
        index: choice.index,
        message: { role: "assistant", content, refusal: null },
        logprobs: logprobsOf(pieces.flatMap(entriesOf)),
        finish_reason: finishOf(pieces.at(-1)!),
      };
    },
    piece(choice, piece) {
      const finish = finishOf(piece);
      if (piece.text === "" && finish === null && !withLogProbs) return undefined;
      const role = started.has(choice.index) ? {} : { role: "assistant" };
      started.add(choice.index);
      return {
        index: choice.index,
        delta: { ...role, content: piece.text },
        logprobs: logprobsOf(entriesOf(piece)),
        finish_reason: finish,
      };
    },
  };
}

function entriesOf({ details, logProbs }: policy.GenerateResponse): TokenEntry[] {
  return details.map((detail, i) => ({
    token: tokenName(detail),
    logprob: logProbs[i]!,
    bytes: tokenBytes(detail),
    top_logprobs: detail.top.map((other) => ({
      token: tokenName(other),
      logprob: other.logProb,
      bytes: tokenBytes(other),
    })),
  }));
}
