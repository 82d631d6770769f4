import { Environment, Template } from "@huggingface/jinja";
import { StagecraftError } from "@stagecraft/core";
import { JINJA_GLOBALS } from "./jinja-globals.js";
import { PythonInterpreter } from "./python-interpreter.js";
import type { TemplateSource } from "./template-source.js";

/** A message as a template sees it: fields beyond these, such as `tool_calls`, are handed through. */
export interface TemplateMessage {
  role: string;
  content?: unknown;
  [field: string]: unknown;
}

/** What a template is given besides the messages. */
export interface TemplateInputs {
  addGenerationPrompt?: boolean;
  /** Tools as JSON schemas, as OpenAI's API takes them. */
  tools?: readonly unknown[] | undefined;
}

/** A compiled chat template. */
export interface ChatTemplate {
  /** The text of a conversation. Throws `invalid_argument` with the template's words when it refuses. */
  render(messages: readonly TemplateMessage[], inputs?: TemplateInputs): string;
  /** The same with `marks` before and after each `{% generation %}` block; undefined: it has none. */
  renderMarked:
    | ((messages: readonly TemplateMessage[], inputs: TemplateInputs, marks: Marks) => string)
    | undefined;
}

export interface Marks {
  open: string;
  close: string;
}

type Program = object;

const GENERATION = /{%(-?)\s*(end)?generation\s*(-?)%}/g;

/** @throws `invalid_argument` for a template that cannot be parsed */
export function compileTemplate({ text, withTools, names }: TemplateSource): ChatTemplate {
  const plain = parse(text);
  const forTools = withTools === text ? plain : parse(withTools);
  const has = GENERATION.test(text);
  GENERATION.lastIndex = 0;
  const marked = has ? parse(withMarks(text)) : undefined;
  const run = (template: Program, messages: readonly TemplateMessage[], inputs: object) =>
    renderedText(template, { ...names, documents: null, ...inputs, messages });
  const variables = ({ addGenerationPrompt = false, tools }: TemplateInputs) => ({
    add_generation_prompt: addGenerationPrompt,
    tools: tools ?? null,
  });
  return {
    render: (messages, inputs = {}) =>
      run(inputs.tools ? forTools : plain, messages, variables(inputs)),
    renderMarked:
      marked &&
      ((messages, inputs, { open, close }) =>
        run(marked, messages, { ...variables(inputs), mark_open: open, mark_close: close })),
  };
}

/** Blocks that print a mark, where white space is trimmed as at the tags that they stand for. */
function withMarks(text: string): string {
  return text.replace(GENERATION, (_, left: string, end: string | undefined, right: string) => {
    return `{%${left} if true %}{{ ${end ? "mark_close" : "mark_open"} }}{% endif ${right}%}`;
  });
}

function parse(text: string): Program {
  try {
    return new Template(text).parsed;
  } catch (cause) {
    throw new StagecraftError(
      "invalid_argument",
      `the chat template cannot be read: ${reasonOf(cause)}`,
      { cause },
    );
  }
}

function renderedText(template: Program, variables: Record<string, unknown>): string {
  try {
    const scope = new Environment() as { set(name: string, value: unknown): void };
    for (const [name, value] of Object.entries({ ...JINJA_GLOBALS, ...variables })) {
      scope.set(name, value);
    }
    return String(new PythonInterpreter(scope).run(template).value);
  } catch (cause) {
    throw new StagecraftError(
      "invalid_argument",
      `the chat template refuses this conversation: ${reasonOf(cause)}`,
      { cause },
    );
  }
}

function reasonOf(cause: unknown): string {
  if (cause instanceof StagecraftError) return cause.reason;
  return cause instanceof Error ? cause.message : String(cause);
}
