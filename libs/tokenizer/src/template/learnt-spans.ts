/**
 * Which characters of a rendered conversation the assistant writes, an answer each: from the end of the
 * prompt that it is generated from to the token that ends its turn. Found by rendering the conversation
 * up to the answer and beyond; where a template shows earlier turns otherwise once they are history (drops
 * their thinking), by putting another answer in its place and comparing what stands before and behind.
 */
import { StagecraftError } from "@stagecraft/core";
import type { ChatTemplate, TemplateInputs, TemplateMessage } from "./jinja-template.js";

export interface Span {
  start: number;
  end: number;
}

export interface SpanOptions {
  template: ChatTemplate;
  inputs: TemplateInputs;
  /** A character that the conversation does not have. */
  mark: string;
  /** The text of the token that ends a turn. */
  turnEnd: string | undefined;
}

/**
 * The span of every message of the assistant's, in order.
 * @throws `invalid_argument` when what a template shows of an answer cannot be told from the rest
 */
export function learntSpans(messages: readonly TemplateMessage[], options: SpanOptions): Span[] {
  const text = options.template.render(messages, options.inputs);
  const indices = messages.flatMap(({ role }, i) => (role === "assistant" ? [i] : []));
  return indices.map((index) => spanOf(messages, index, { ...options, text }));
}

interface Place extends SpanOptions {
  text: string;
}

function spanOf(messages: readonly TemplateMessage[], index: number, place: Place): Span {
  const { text, turnEnd } = place;
  const around = memoized(() => surroundingsOf(messages, index, place));
  const start = startOf(messages, index, place) ?? around()?.start;
  // Without a token that ends a turn nothing tells what stands behind the answer from it.
  const past = endOf(messages, index, place);
  const end = turnEnd === undefined ? (around()?.end ?? past) : (past ?? around()?.end);
  if (start === undefined || end === undefined || start > end) throw unclear(index);
  const stop = turnEnd === undefined ? -1 : text.slice(start, end).indexOf(turnEnd);
  return { start, end: stop < 0 ? end : start + stop + turnEnd!.length };
}

/** Where the prompt ends from which the answer is generated, when the text begins with that prompt. */
function startOf(messages: readonly TemplateMessage[], index: number, place: Place) {
  const { template, inputs, text } = place;
  if (index === 0) return undefined; // there is no prompt
  const prompt = tried(() =>
    template.render(messages.slice(0, index), { ...inputs, addGenerationPrompt: true }),
  );
  return prompt !== undefined && text.startsWith(prompt) ? prompt.length : undefined;
}

/** Where the conversation up to the answer ends, when the text begins with it. */
function endOf(messages: readonly TemplateMessage[], index: number, place: Place) {
  const { template, inputs, text } = place;
  if (index === messages.length - 1) return text.length;
  const past = tried(() => template.render(messages.slice(0, index + 1), inputs));
  return past !== undefined && text.startsWith(past) ? past.length : undefined;
}

/** What stands before and behind another answer in the place of this one, when the rest is the same. */
function surroundingsOf(messages: readonly TemplateMessage[], index: number, place: Place) {
  const { template, inputs, text, mark, turnEnd } = place;
  const other = messages.map((message, i) =>
    i === index ? { role: message.role, content: mark } : message,
  );
  const parts = tried(() => template.render(other, inputs))?.split(mark) ?? [];
  const [before, behind] = parts;
  if (parts.length !== 2 || before === undefined || behind === undefined) return undefined;
  const hasBoth = text.startsWith(before) && text.endsWith(behind);
  if (!hasBoth || text.length < before.length + behind.length) return undefined;
  const contentEnd = text.length - behind.length;
  const stop = turnEnd === undefined ? -1 : behind.indexOf(turnEnd);
  const isNear = stop >= 0 && behind.slice(0, stop).trim() === "";
  return {
    start: before.length,
    end: isNear ? contentEnd + stop + turnEnd!.length : contentEnd,
  };
}

/** Parts of a conversation may be none that a template renders: a system message alone, say. */
function tried(render: () => string): string | undefined {
  try {
    return render();
  } catch (thrown) {
    if (thrown instanceof StagecraftError) return undefined;
    throw thrown;
  }
}

function memoized<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

function unclear(index: number): StagecraftError {
  return new StagecraftError(
    "invalid_argument",
    `the chat template changes the conversation around messages[${index}], so what the assistant ` +
      `writes there cannot be told; leave the conversation out, or use a template with {% generation %}`,
    { details: { index } },
  );
}
