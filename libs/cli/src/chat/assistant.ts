import { initEngine } from "@stagecraft/tensor";
import { generate, generationDefaults, loadModel, type SamplingParams } from "@stagecraft/model";
import { loadTokenizer, renderChat, type Message } from "@stagecraft/tokenizer";
import { present, StagecraftError } from "@stagecraft/core";

/** A loaded model that continues conversations. */
export interface Assistant {
  /** One line about the model, for the greeting. */
  readonly description: string;
  /** What the model's generation_config.json asks for and is not done. */
  readonly unsupported: readonly string[];
  /** Streams the answer's text to `onText` and resolves with all of it. */
  answer(messages: readonly Message[], options: AnswerOptions): Promise<string>;
  dispose(): void;
}

export interface AnswerOptions {
  /** What is undefined is the model's default, else ours. */
  sampling: { [K in keyof SamplingParams]?: SamplingParams[K] | undefined };
  onText(text: string): void;
  /** Told how many of the oldest messages are left out because all do not fit. */
  onLeftOut(numMessages: number): void;
  signal: AbortSignal;
}

const DEFAULTS = { temperature: 0.7, maxNewTokens: 256 };

/** Loads a model directory for talking; throws when it has no tokenizer or no language-model head. */
export async function loadAssistant(modelDir: string): Promise<Assistant> {
  await initEngine();
  const model = await loadModel(modelDir, { heads: ["lm"] });
  const tokenizer = await loadTokenizer(modelDir);
  const defaults = generationDefaults(tokenizer.files(), modelDir);
  const own = { ...DEFAULTS, ...defaults.sampling };
  return {
    unsupported: defaults.unsupported,
    description: `${modelDir}: ${model.config.architecture}, ${model.numParams} parameters`,
    async answer(messages, { sampling: given, onText, onLeftOut, signal }) {
      const { ids, numLeftOut } = fitToContext(messages, {
        render: (kept) => renderChat(tokenizer, kept, { addGenerationPrompt: true }).ids,
        room: model.config.maxPositions - 1,
      });
      if (numLeftOut > 0) onLeftOut(numLeftOut);
      const sampling = { ...own, ...present(given) };
      const numNew = Math.min(sampling.maxNewTokens, model.config.maxPositions - ids.length);
      const decoder = tokenizer.streamDecoder();
      let text = "";
      const emit = (piece: string) => {
        text += piece;
        if (piece !== "") onText(piece);
      };
      await generate(
        model,
        [ids],
        { ...sampling, maxNewTokens: numNew },
        {
          tokenizer,
          signal,
          onToken: (_, { id, finishReason }) => {
            if (finishReason !== "eos") emit(decoder.push(id)); // an end token is no text
          },
        },
      );
      emit(decoder.flush());
      return text;
    },
    dispose: () => model.dispose(),
  };
}

export interface ContextFit {
  render(messages: readonly Message[]): Int32Array;
  /** Most tokens that the prompt may have. */
  room: number;
}

/** A message that does not fit on its own; `details` has its `numTokens`. Nothing was answered. */
export function isTooLong(error: StagecraftError): boolean {
  return error.details["numTokens"] !== undefined;
}

/**
 * The rendered conversation, without its oldest turns when it is too long; a leading system message
 * stays. Throws invalid_argument when even the last message alone does not fit: see `isTooLong`.
 */
function fitToContext(
  messages: readonly Message[],
  { render, room }: ContextFit,
): { ids: Int32Array; numLeftOut: number } {
  const system = messages[0]?.role === "system" ? messages.slice(0, 1) : [];
  let turns = messages.slice(system.length);
  for (;;) {
    const ids = render([...system, ...turns]);
    const numLeftOut = messages.length - system.length - turns.length;
    if (ids.length <= room) return { ids, numLeftOut };
    if (turns.length <= 1) throw tooLong(ids.length, { room, hasSystem: system.length > 0 });
    turns = turns.slice(turns[1]?.role === "assistant" ? 2 : 1);
  }
}

function tooLong(
  numTokens: number,
  { room, hasSystem }: { room: number; hasSystem: boolean },
): StagecraftError {
  const what = hasSystem ? "the message with the system message" : "the message";
  return new StagecraftError(
    "invalid_argument",
    `${what} has ${numTokens} tokens; at most ${room} fit into the model's context of ${room + 1} beside an answer; make it shorter`,
    { details: { numTokens, room } },
  );
}
