import type { policy } from "@stagecraft/contracts";
import { finishOf } from "./answers.js";
import type { Choice } from "./generation-input.js";
import type { AnswerFormat } from "./respond.js";
import { tokenName } from "./token-text.js";

/** Lists with an entry for each token, the prompt's first where it is echoed. */
interface CompletionLogProbs {
  tokens: string[];
  token_logprobs: (number | null)[];
  top_logprobs: (Record<string, number> | null)[];
  text_offset: number[];
}

/** Completions, whole and in pieces. */
export function completionFormat({ withLogProbs }: { withLogProbs: boolean }): AnswerFormat {
  /** Characters of each answer's tokens so far. */
  const offsets = new Map<number, number>();
  const render = (choice: Choice, pieces: readonly policy.GenerateResponse[]) => ({
    index: choice.index,
    text: pieces.map((piece) => echoed(choice, piece) + piece.text).join(""),
    logprobs: withLogProbs ? logProbsOf(choice, pieces, offsets) : null,
    finish_reason: finishOf(pieces.at(-1)!),
  });
  return {
    idPrefix: "cmpl-",
    object: "text_completion",
    piecesObject: "text_completion",
    whole: render,
    piece(choice, piece) {
      const part = render(choice, [piece]);
      return part.text === "" && part.finish_reason === null && !withLogProbs ? undefined : part;
    },
  };
}

/** The prompt's text: as it was given, else that of its tokens. */
function echoed(choice: Choice, { prompt }: policy.GenerateResponse): string {
  if (!prompt) return "";
  const given = choice.input.prompt;
  if (given?.$case === "text") return given.value;
  return Buffer.concat(prompt.details.map(textOf)).toString();
}

const textOf = ({ bytes, special }: policy.TokenDetail) => (special ? Buffer.alloc(0) : bytes);

function logProbsOf(
  { index }: Choice,
  pieces: readonly policy.GenerateResponse[],
  offsets: Map<number, number>,
): CompletionLogProbs {
  const lists: CompletionLogProbs = {
    tokens: [],
    token_logprobs: [],
    top_logprobs: [],
    text_offset: [],
  };
  const add = (detail: policy.TokenDetail, logProb: number | null) => {
    const offset = offsets.get(index) ?? 0;
    const name = tokenName(detail);
    lists.tokens.push(name);
    lists.token_logprobs.push(logProb);
    lists.top_logprobs.push(logProb === null ? null : topOf(detail, name, logProb));
    lists.text_offset.push(offset);
    offsets.set(index, offset + textOf(detail).toString().length);
  };
  for (const { prompt, details, logProbs } of pieces) {
    // The token that begins the document is none of the text; what follows it has a log-prob.
    const from = prompt?.beginsDocument ? 1 : 0;
    prompt?.details.slice(from).forEach((detail, i) => {
      add(detail, i + from === 0 ? null : prompt.logProbs[i + from]!);
    });
    details.forEach((detail, i) => add(detail, logProbs[i]!));
  }
  return lists;
}

/** The likeliest by their names, and the one that stands there, as OpenAI has it. */
function topOf({ top }: policy.TokenDetail, name: string, logProb: number): Record<string, number> {
  const named: Record<string, number> = {};
  for (const other of top) named[tokenName(other)] ??= other.logProb;
  named[name] ??= logProb;
  return named;
}
