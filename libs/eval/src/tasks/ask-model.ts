import { StagecraftError } from "@stagecraft/core";
import { eachLogits, generate, logSoftmaxAt, type Model } from "@stagecraft/model";
import { renderChat, type Tokenizer } from "@stagecraft/tokenizer";
import type { AskedItem, Task } from "./read-task.js";
import { stripEnd } from "./shapes/python-text.js";
import type { Figures } from "./shapes/shape.js";

/** A line of task-answers.jsonl: what one model did with one item. */
export interface TaskAnswer {
  readonly model: string;
  readonly task: string;
  readonly id: string;
  readonly group?: string;
  readonly figures: Figures;
  /** Of multiple choice: log-likelihood of each answer. */
  readonly logLikelihoods?: readonly number[];
  /** Of written answers. */
  readonly answer?: string;
  readonly numTokens?: number;
  /** The text lost its beginning, to fit into the model's context. */
  readonly cut?: true;
}

export interface Asking {
  readonly name: string;
  readonly model: Model;
  readonly tokenizer: Tokenizer;
  /** The item as a chat in the model's template. */
  readonly asChat: boolean;
  /** Longest written answer. */
  readonly maxNewTokens: number;
  readonly batchSize: number;
  readonly signal: AbortSignal;
}

/** Asks a model some items of a task. */
export async function askModel(
  task: Task,
  items: readonly AskedItem[],
  asking: Asking,
): Promise<TaskAnswer[]> {
  if (task.shape.metrics === undefined) return write(task, items, asking);
  const answers: TaskAnswer[] = [];
  for (const item of items) answers.push(await choose(task, item, asking));
  return answers;
}

const head = (task: Task, { id, item: { group } }: AskedItem, { name }: Asking) => ({
  ...{ model: name, task: task.name, id },
  ...(group === undefined ? {} : { group }),
});

/** The answer with the greatest log-likelihood, and with the greatest for each of its characters. */
async function choose(task: Task, asked: AskedItem, asking: Asking): Promise<TaskAnswer> {
  const choices = asked.item.choices!;
  const before = asking.asChat ? "" : " ";
  const parts = choices.map((choice) => pairOf(asked, before + choice, asking));
  const { maxPositions } = asking.model.config;
  const fitted = parts.map(({ ids, from }) => {
    const numCut = Math.max(0, ids.length - 1 - maxPositions);
    return { ids: ids.subarray(numCut), from: Math.max(1, from - numCut), isCut: numCut > 0 };
  });
  const logLikelihoods = await judge(fitted, asking);
  const perCharacter = logLikelihoods.map((value, i) => value / [...choices[i]!].length);
  const right = (values: readonly number[]) => [
    values.indexOf(Math.max(...values)) === asked.item.gold ? 1 : 0,
  ];
  const all = { acc: right(logLikelihoods), acc_norm: right(perCharacter) };
  const metrics = task.shape.metrics!;
  return {
    ...head(task, asked, asking),
    figures: Object.fromEntries(metrics.map((metric) => [metric, all[metric]])),
    logLikelihoods,
    ...(fitted.some(({ isCut }) => isCut) ? { cut: true } : {}),
  };
}

interface Pair {
  readonly ids: Int32Array;
  /** Where the answer begins. */
  readonly from: number;
}

/**
 * Ids of a text and its continuation as lm-eval splits them: together, and the answer is what is longer
 * than the text alone; white space at the text's end counts to the answer.
 */
function pairOf(asked: AskedItem, continuation: string, asking: Asking): Pair {
  const { tokenizer } = asking;
  const text = textOf(asked, asking);
  const context = stripEnd(text);
  const encode = asking.asChat
    ? (each: string) => tokenizer.encodeWithSpecials(each)
    : (each: string) => withBefore(tokenizer, each);
  const alone = encode(context);
  const ids = encode(context + text.slice(context.length) + continuation);
  if (alone.length > 0 && ids.length > alone.length) return { ids, from: alone.length };
  if (alone.length === 0) return { ids: withStart(ids, tokenizer), from: 1 };
  throw new StagecraftError(
    "invalid_argument",
    `${asked.id}: the answer ${JSON.stringify(continuation)} has no token of its own after its question`,
  );
}

/** As lm-eval's own models: after what Hugging Face puts before a text, such as Llama 3's first token. */
function withBefore(tokenizer: Tokenizer, text: string): Int32Array {
  return Int32Array.from([...tokenizer.textAffixes.before, ...tokenizer.encode(text)]);
}

function textOf({ text, messages }: AskedItem, { asChat, tokenizer }: Asking): string {
  return asChat ? renderChat(tokenizer, [...messages], { addGenerationPrompt: true }).text : text;
}

/** An answer after nothing is judged after the token that begins a text. */
function withStart(ids: Int32Array, { specials: { bos, eos } }: Tokenizer): Int32Array {
  const start = bos ?? eos;
  if (start !== undefined) return Int32Array.from([start, ...ids]);
  throw new StagecraftError(
    "invalid_argument",
    "a task's text is empty, and the tokenizer has no token that begins one",
  );
}

/** log-likelihood of each continuation; those that differ in their last token go through the model once. */
async function judge(pairs: readonly Pair[], { model, signal }: Asking): Promise<number[]> {
  const sums = pairs.map(() => 0);
  const groups = new Map<string, number[]>();
  pairs.forEach(({ ids }, i) => {
    const key = ids.subarray(0, -1).join();
    groups.set(key, [...(groups.get(key) ?? []), i]);
  });
  for (const members of groups.values()) {
    const { ids } = pairs[members[0]!]!;
    const from = Math.min(...members.map((i) => pairs[i]!.from)) - 1;
    await eachLogits(model, ids.subarray(0, -1), { from, signal }, (logits, at) => {
      for (const i of members) {
        if (at + 1 < pairs[i]!.from) continue;
        // As the API gives them: in single precision, summed in double.
        sums[i]! += Math.fround(logSoftmaxAt(logits, pairs[i]!.ids[at + 1]!));
      }
    });
  }
  return sums;
}

async function write(
  task: Task,
  items: readonly AskedItem[],
  asking: Asking,
): Promise<TaskAnswer[]> {
  const { model, tokenizer, asChat, maxNewTokens, batchSize, signal } = asking;
  const room = model.config.maxPositions - maxNewTokens;
  const prompts = items.map((asked) =>
    asChat
      ? renderChat(tokenizer, [...asked.messages], { addGenerationPrompt: true }).ids
      : withBefore(tokenizer, asked.text),
  );
  const params = { temperature: 0, maxNewTokens, stop: task.shape.stop ?? [] };
  const fitted = prompts.map((ids) => ids.subarray(-room));
  const sequences = await generate(model, fitted, params, { tokenizer, signal, batchSize });
  return items.map((asked, i) => {
    const answer = sequences[i]!.text ?? "";
    return {
      ...head(task, asked, asking),
      figures: asked.item.check!(answer),
      answer,
      numTokens: sequences[i]!.ids.length,
      ...(prompts[i]!.length > room ? { cut: true } : {}),
    };
  });
}
