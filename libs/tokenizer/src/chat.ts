import { StagecraftError } from "@stagecraft/core";
import { IntBuffer } from "./int-buffer.js";
import type { Message, Role, Tokenizer } from "./tokenizer.js";

export interface RenderedChat {
  ids: Int32Array;
  /**
   * 1 on every token that the assistant writes, its end token included; 0 elsewhere, and in answers of
   * weight 0. Same length.
   */
  assistantMask: Uint8Array;
}

export interface RenderChatOptions {
  /** End with the marker after which the assistant writes. Default false. */
  addGenerationPrompt?: boolean;
}

/**
 * A conversation as token ids: `<|bos|><|user|>Hi<|end|><|assistant|>Hello<|end|>`. Foreign
 * tokenizers with the special tokens of ChatML or Llama 3 are rendered in those formats. Special
 * strings inside a message stay ordinary text.
 * @throws `failed_precondition` when the tokenizer has no chat tokens, `invalid_argument` on an
 * unknown role
 */
export function renderChat(
  tokenizer: Tokenizer,
  messages: readonly Message[],
  options: RenderChatOptions = {},
): RenderedChat {
  const format = chatFormatOf(tokenizer);
  const ids = new IntBuffer();
  const mask: number[] = [];
  const add = (tokens: ArrayLike<number>, isAssistant: boolean) => {
    for (let i = 0; i < tokens.length; i++) {
      ids.push(tokens[i]!);
      mask.push(isAssistant ? 1 : 0);
    }
  };
  add(format.start, false);
  for (const { role, content, weight } of messages) {
    const isLearnt = role === "assistant" && weight !== 0;
    add(format.open(checkedRole(role)), false);
    add(tokenizer.encode(content), isLearnt);
    add([format.end], isLearnt);
    add(format.afterEnd, false);
  }
  if (options.addGenerationPrompt) add(format.open("assistant"), false);
  return { ids: ids.toArray(), assistantMask: Uint8Array.from(mask) };
}

/** True when `renderChat` can render for this tokenizer. */
export function hasChatFormat(tokenizer: Tokenizer): boolean {
  return findFormat(tokenizer) !== undefined;
}

interface ChatFormat {
  start: readonly number[];
  /** What stands before a message of this role. */
  open(role: Role): ArrayLike<number>;
  /** The token that ends a turn, which the assistant writes itself. */
  end: number;
  afterEnd: ArrayLike<number>;
}

const formats = new WeakMap<Tokenizer, ChatFormat>();

function chatFormatOf(tokenizer: Tokenizer): ChatFormat {
  const known = formats.get(tokenizer) ?? findFormat(tokenizer);
  if (known === undefined) {
    throw new StagecraftError(
      "failed_precondition",
      "this tokenizer has no chat tokens (neither <|user|>, <|assistant|>, <|end|> nor those of " +
        "ChatML or Llama 3), so conversations cannot be rendered; train one with the default " +
        "special tokens",
    );
  }
  formats.set(tokenizer, known);
  return known;
}

function findFormat(tokenizer: Tokenizer): ChatFormat | undefined {
  return ownFormat(tokenizer) ?? chatMlFormat(tokenizer) ?? llama3Format(tokenizer);
}

function ownFormat({ specials }: Tokenizer): ChatFormat | undefined {
  const { bos, eos, system, user, assistant } = specials;
  if (eos === undefined || user === undefined || assistant === undefined) return undefined;
  const markers: Record<Role, number | undefined> = { system, user, assistant };
  return {
    start: bos === undefined ? [] : [bos],
    open(role) {
      const marker = markers[role];
      if (marker !== undefined) return [marker];
      throw new StagecraftError("failed_precondition", `this tokenizer has no <|${role}|> token`);
    },
    end: eos,
    afterEnd: [],
  };
}

function chatMlFormat(tokenizer: Tokenizer): ChatFormat | undefined {
  const open = tokenizer.idOf("<|im_start|>");
  const end = tokenizer.idOf("<|im_end|>");
  if (open === undefined || end === undefined) return undefined;
  return {
    start: [],
    open: (role) => [open, ...tokenizer.encode(`${role}\n`)],
    end,
    afterEnd: tokenizer.encode("\n"),
  };
}

function llama3Format(tokenizer: Tokenizer): ChatFormat | undefined {
  const begin = tokenizer.idOf("<|begin_of_text|>");
  const open = tokenizer.idOf("<|start_header_id|>");
  const close = tokenizer.idOf("<|end_header_id|>");
  const end = tokenizer.idOf("<|eot_id|>");
  if (begin === undefined || open === undefined || close === undefined || end === undefined) {
    return undefined;
  }
  const gap = tokenizer.encode("\n\n");
  return {
    start: [begin],
    open: (role) => [open, ...tokenizer.encode(role), close, ...gap],
    end,
    afterEnd: [],
  };
}

const ROLES: readonly string[] = ["system", "user", "assistant"];

function checkedRole(role: Role): Role {
  if (ROLES.includes(role)) return role;
  throw new StagecraftError(
    "invalid_argument",
    `a message has the role ${JSON.stringify(role)}; expected "system", "user" or "assistant"`,
  );
}
