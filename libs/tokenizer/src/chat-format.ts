import { StagecraftError } from "@stagecraft/core";
import type { Role, Tokenizer } from "./tokenizer.js";

/** What a format is found by. */
export type ChatTokens = Pick<Tokenizer, "specials" | "idOf" | "encode">;

/** How a tokenizer's special tokens frame the messages of a conversation. */
export interface ChatFormat {
  start: readonly number[];
  /** What stands before a message of this role. */
  open(role: Role): ArrayLike<number>;
  /** The token that ends a turn, which the assistant writes itself. */
  end: number;
  afterEnd: ArrayLike<number>;
}

const formats = new WeakMap<ChatTokens, ChatFormat>();

/** The format of a tokenizer's chat tokens; throws `failed_precondition` when it has none. */
export function chatFormatOf(tokenizer: ChatTokens): ChatFormat {
  const known = formats.get(tokenizer) ?? findChatFormat(tokenizer);
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

/** As `chatFormatOf`, undefined when the tokenizer has no chat tokens. */
export function findChatFormat(tokenizer: ChatTokens): ChatFormat | undefined {
  return ownFormat(tokenizer) ?? chatMlFormat(tokenizer) ?? llama3Format(tokenizer);
}

function ownFormat({ specials }: ChatTokens): ChatFormat | undefined {
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

function chatMlFormat(tokenizer: ChatTokens): ChatFormat | undefined {
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

function llama3Format(tokenizer: ChatTokens): ChatFormat | undefined {
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

/** The role itself; throws `invalid_argument` for one that no format has. */
export function checkedRole(role: Role): Role {
  if (ROLES.includes(role)) return role;
  throw new StagecraftError(
    "invalid_argument",
    `a message has the role ${JSON.stringify(role)}; expected "system", "user" or "assistant"`,
  );
}
