import { common, type ChatMessage } from "@stagecraft/contracts";
import type { Turn } from "../http/api/index.js";

const ROLES: Readonly<Partial<Record<common.Role, ChatMessage["role"]>>> = {
  [common.Role.SYSTEM]: "system",
  [common.Role.USER]: "user",
  [common.Role.ASSISTANT]: "assistant",
};

/** A conversation as pages have it. */
export function toTurns(conversation: common.Conversation | undefined): Turn[] {
  const messages = conversation?.messages ?? [];
  return messages.map(({ role, content }) => ({ role: ROLES[role] ?? "user", content }));
}
