import { useLayoutEffect, useRef } from "preact/hooks";
import type { RankAction } from "./rank-state.js";

/** What the keys of the Rank page lead to beside changing ranks. */
export interface RankCommands {
  act: (action: RankAction) => void;
  nextRow: (by: number) => void;
  submit: () => void;
  undo: () => void;
  skip: () => void;
  flag: () => void;
  help: () => void;
}

/** The keys and what they do, as the help shows them. */
export const RANK_KEYS: readonly (readonly [keys: string, does: string])[] = [
  ["1 … 9", "give the answer in focus this rank; the same digit twice is a tie"],
  ["↑ ↓ ← →", "go to another answer"],
  ["0 or Backspace", "take the rank of this answer back"],
  ["C", "go to the next question (Shift+C: the one before)"],
  ["Enter", "store this ranking and get the next comparison"],
  ["U", "undo: the last change, then the last comparison"],
  ["S", "skip this comparison and say why"],
  ["F", "flag the answer in focus"],
  ["?", "show these keys"],
];

/**
 * Listens for the keys wherever the focus is, except where somebody types or a dialog is open: on the
 * screen, for what this page believes comes an event later, and a key in between would be lost.
 */
export function useRankKeys(commands: RankCommands): void {
  const latest = useRef(commands);
  latest.current = commands;
  // Before the page is painted: whoever sees a comparison may type at once.
  useLayoutEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if (isTyping(event) || !dispatchKey(event, latest.current)) return;
      event.preventDefault();
    };
    window.addEventListener("keydown", listen);
    return () => window.removeEventListener("keydown", listen);
  }, []);
}

function isTyping(event: KeyboardEvent): boolean {
  const target = event.target as HTMLElement;
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return true;
  if (document.querySelector("dialog[open]")) return true;
  return target.matches("input, textarea, select, [contenteditable]");
}

function dispatchKey(event: KeyboardEvent, commands: RankCommands): boolean {
  const { key } = event;
  const isOnControl = (event.target as HTMLElement).matches("button, a, summary");
  if (/^[1-9]$/.test(key)) commands.act({ type: "rank", rank: Number(key) });
  else if (key === "0" || key === "Backspace" || key === "Delete") commands.act({ type: "clear" });
  else if (key === "ArrowDown" || key === "ArrowRight") commands.act({ type: "step", by: 1 });
  else if (key === "ArrowUp" || key === "ArrowLeft") commands.act({ type: "step", by: -1 });
  else if (key === "Enter" && !isOnControl && !event.repeat) commands.submit();
  else if (key === "c" || key === "C") commands.nextRow(event.shiftKey ? -1 : 1);
  else if (key === "u" || key === "U") commands.undo();
  else if (key === "s" || key === "S") commands.skip();
  else if (key === "f" || key === "F") commands.flag();
  else if (key === "?") commands.help();
  else return false;
  return true;
}
