import { StagecraftError } from "@stagecraft/core";
import type { ChatFormat, ChatTokens, RenderChatOptions, RenderedChat } from "./chat-types.js";
import { IntBuffer } from "./int-buffer.js";
import type { Message, Role } from "./tokenizer.js";

/**
 * The format of our own chat tokens: `<|bos|><|user|>Hi<|end|><|assistant|>Hello<|end|>`, as
 * `CHAT_TEMPLATE` says it. Undefined when the tokenizer lacks one of them.
 */
export function ownFormat(tokenizer: ChatTokens): ChatFormat | undefined {
  const { bos, eos, system, user, assistant } = tokenizer.specials;
  if (eos === undefined || user === undefined || assistant === undefined) return undefined;
  const markers: Record<Role, number | undefined> = { system, user, assistant };
  const start = bos === undefined ? [] : [bos];
  const opening = (role: Role) => {
    const marker = markers[checkedRole(role)];
    if (marker !== undefined) return [marker];
    throw new StagecraftError("failed_precondition", `this tokenizer has no <|${role}|> token`);
  };
  return {
    start,
    end: eos,
    afterEnd: [],
    render: (messages, options) => {
      return rendered(tokenizer, messages, { ...options, start, opening, end: eos });
    },
  };
}

interface Frame extends RenderChatOptions {
  start: readonly number[];
  opening(role: Role): readonly number[];
  end: number;
}

function rendered(
  tokenizer: ChatTokens,
  messages: readonly Message[],
  { start, opening, end, addGenerationPrompt }: Frame,
): RenderedChat {
  const ids = new IntBuffer();
  const mask: number[] = [];
  const add = (tokens: ArrayLike<number>, isLearnt: boolean) => {
    for (let i = 0; i < tokens.length; i++) {
      ids.push(tokens[i]!);
      mask.push(isLearnt ? 1 : 0);
    }
  };
  add(start, false);
  for (const { role, content, weight } of messages) {
    const isLearnt = role === "assistant" && weight !== 0;
    add(opening(role), false);
    add(tokenizer.encode(content), isLearnt);
    add([end], isLearnt);
  }
  if (addGenerationPrompt) add(opening("assistant"), false);
  const all = ids.toArray();
  return {
    ids: all,
    assistantMask: Uint8Array.from(mask),
    get text() {
      return tokenizer.decode(all, { skipSpecials: false });
    },
  };
}

const ROLES: readonly string[] = ["system", "user", "assistant"];

/** The role itself; throws `invalid_argument` for one that our format does not have. */
function checkedRole(role: Role): Role {
  if (ROLES.includes(role)) return role;
  throw new StagecraftError(
    "invalid_argument",
    `a message has the role ${JSON.stringify(role)}; expected "system", "user" or "assistant"`,
  );
}
