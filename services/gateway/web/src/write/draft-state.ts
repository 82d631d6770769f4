import type { Draft, DraftTurn, TurnRole } from "../../../src/http/api/index.js";

/** A turn on the screen, with what the model had written where it began so. */
export interface EditedTurn extends DraftTurn {
  /** What the model wrote; null = from nothing, or no longer known here. */
  draft: string | null;
}

/** The turns of a stored draft as they are edited. */
export function turnsToEdit({ turns }: Pick<Draft, "turns">): EditedTurn[] {
  return turns.map((turn) => ({ ...turn, draft: turn.draft ?? null }));
}

/** What is sent to be stored. */
export function turnsToStore(turns: readonly EditedTurn[]): DraftTurn[] {
  return turns.map(({ role, content, answerId }) => ({ role, content, answerId }));
}

/** Whose turn comes next: people and the assistant take turns. */
export function nextRole(turns: readonly { role: TurnRole }[]): "user" | "assistant" {
  return turns.at(-1)?.role === "user" ? "assistant" : "user";
}

/** Why a draft cannot be handed in yet; undefined if it can. */
export function problemOfDraft(turns: readonly { role: TurnRole; content: string }[]) {
  const empty = turns.findIndex(({ content }) => content.trim() === "");
  if (empty >= 0) return `Turn ${empty + 1} is empty: write it, or remove it.`;
  if (turns.at(-1)?.role !== "assistant") return "The last turn must be the assistant's answer.";
  return undefined;
}
