import { StagecraftError } from "@stagecraft/core";
import type { ChatFormat, ChatTokens, RenderChatOptions, RenderedChat } from "../chat-types.js";
import { escapeRegex } from "../pattern.js";
import type { Message } from "../tokenizer.js";
import { compileTemplate, type ChatTemplate, type TemplateMessage } from "./jinja-template.js";
import { learntSpans, type Span } from "./learnt-spans.js";
import { mapStrings, privateMarks, type PrivateMarks } from "./private-marks.js";
import type { TemplateSource } from "./template-source.js";
import { maskOf } from "./token-places.js";

/**
 * The format that a model's own chat template says, in Jinja. Names of special tokens inside messages
 * stay text: they pass the template as characters of private use.
 * @throws `invalid_argument` for a template that cannot be parsed
 */
export function templateFormat(tokenizer: ChatTokens, source: TemplateSource): ChatFormat {
  const template = compileTemplate(source);
  const names = [...tokenizer.specialTokens.keys()].sort((a, b) => b.length - a.length);
  const pattern =
    names.length === 0 ? undefined : new RegExp(names.map(escapeRegex).join("|"), "gu");
  const edges = edgesOf(tokenizer, template, pattern);
  const { bos } = tokenizer.specials;
  return {
    start: bos !== undefined && edges.opensWith === bos ? [bos] : [],
    end: edges.turnEnd === undefined ? undefined : tokenizer.idOf(edges.turnEnd),
    afterEnd: tokenizer.encode(edges.afterEnd),
    render: (messages, options) =>
      rendered(tokenizer, messages, { ...options, template, pattern, turnEnd: edges.turnEnd }),
  };
}

interface Rendering extends RenderChatOptions {
  template: ChatTemplate;
  /** Finds the names of special tokens; undefined: there are none. */
  pattern: RegExp | undefined;
  turnEnd: string | undefined;
}

/** Marks below this number are the renderer's own. */
const FIRST_NAME = 3;

function rendered(
  tokenizer: ChatTokens,
  all: readonly Message[],
  rendering: Rendering,
): RenderedChat {
  const { template, pattern, addGenerationPrompt = false, tools } = rendering;
  const marks = privateMarks({ all, tools });
  const { escape, restore } = hiding(pattern, marks);
  const messages = all.map(({ weight: _, ...message }) =>
    mapStrings<TemplateMessage>(message, escape),
  );
  const inputs = { addGenerationPrompt, tools: tools && mapStrings(tools, escape) };
  const hidden = template.render(messages, inputs);
  const encode = (text: string) => tokenizer.encodeWithSpecials(text, restore);
  const ids = encode(hidden);
  let mask: Uint8Array | undefined;
  return {
    ids,
    text: restore(hidden),
    get assistantMask() {
      const spans = () => learnt(all, messages, { ...rendering, inputs, marks, hidden });
      const lastSpecial = (text: string) => lastName(text, tokenizer, pattern);
      const { byteLengths } = tokenizer;
      mask ??= maskOf({ encode, byteLengths, lastSpecial }, hidden, ids, spans());
      return mask;
    },
  };
}

/** The last name of a special token in a text. */
function lastName(text: string, tokenizer: ChatTokens, pattern: RegExp | undefined) {
  const last = pattern && [...text.matchAll(pattern)].at(-1);
  return last && { at: last.index, id: tokenizer.idOf(last[0]) };
}

/** Names of special tokens as single characters, and back. */
function hiding(pattern: RegExp | undefined, marks: PrivateMarks) {
  const numbers = new Map<string, number>();
  const names = new Map<string, string>();
  const markOf = (name: string) => {
    const number = numbers.get(name) ?? numbers.size;
    numbers.set(name, number);
    const mark = marks(FIRST_NAME + number);
    names.set(mark, name);
    return mark;
  };
  return {
    escape: (text: string) => (pattern ? text.replace(pattern, markOf) : text),
    restore: (text: string) =>
      names.size === 0 ? text : [...text].map((char) => names.get(char) ?? char).join(""),
  };
}

interface Hidden extends Rendering {
  inputs: { addGenerationPrompt: boolean; tools?: readonly unknown[] | undefined };
  marks: PrivateMarks;
  hidden: string;
}

/** The spans of the answers that are learnt. */
function learnt(
  all: readonly Message[],
  messages: readonly TemplateMessage[],
  { template, inputs, marks, hidden, turnEnd }: Hidden,
): Span[] {
  const weights = all.flatMap(({ role, weight }) => (role === "assistant" ? [weight] : []));
  const keep = (spans: Span[]) => {
    if (spans.length !== weights.length && weights.includes(0)) throw uncounted(spans.length);
    return spans.filter((_, i) => weights[i] !== 0);
  };
  if (!template.renderMarked) {
    return keep(learntSpans(messages, { template, inputs, turnEnd, mark: marks(0) }));
  }
  const [open, close] = [marks(1), marks(2)];
  const marked = template.renderMarked(messages, inputs, { open, close });
  return keep(spansBetween(marked, open, close, hidden));
}

function spansBetween(marked: string, open: string, close: string, plain: string): Span[] {
  const spans: Span[] = [];
  let text = "";
  for (const part of marked.split(open)) {
    const end = part.indexOf(close);
    if (end >= 0) spans.push({ start: text.length, end: text.length + end });
    text += end < 0 ? part : part.slice(0, end) + part.slice(end + close.length);
  }
  if (text === plain) return spans;
  throw new StagecraftError(
    "invalid_argument",
    "the chat template's {% generation %} blocks change its text; write them around what is printed",
  );
}

function uncounted(numBlocks: number): StagecraftError {
  return new StagecraftError(
    "invalid_argument",
    `the chat template has ${numBlocks} {% generation %} blocks for another number of answers, so those ` +
      "of weight 0 cannot be told; leave the weights out",
  );
}

interface Edges {
  opensWith: number | undefined;
  turnEnd: string | undefined;
  afterEnd: string;
}

/** What a template puts before a conversation and behind an answer, seen in a small one. */
function edgesOf(
  tokenizer: ChatTokens,
  template: ChatTemplate,
  pattern: RegExp | undefined,
): Edges {
  const none = { opensWith: undefined, turnEnd: undefined, afterEnd: "" };
  const mark = privateMarks("")(0);
  const conversation = [
    { role: "user", content: "a" },
    { role: "assistant", content: mark },
  ];
  const text = shown(template, conversation);
  if (text === undefined || pattern === undefined) return none;
  const opening = [...text.matchAll(pattern)].find(({ index }) => index === 0)?.[0];
  const opensWith = opening === undefined ? undefined : tokenizer.idOf(opening);
  const behind = text.slice(text.indexOf(mark) + mark.length);
  const end = [...behind.matchAll(pattern)][0];
  if (!text.includes(mark) || end === undefined || behind.slice(0, end.index).trim() !== "") {
    return { ...none, opensWith };
  }
  return { opensWith, turnEnd: end[0], afterEnd: behind.slice(end.index + end[0].length) };
}

function shown(template: ChatTemplate, messages: TemplateMessage[]): string | undefined {
  try {
    return template.render(messages);
  } catch (thrown) {
    if (thrown instanceof StagecraftError) return undefined; // it may ask for more than two turns
    throw thrown;
  }
}
