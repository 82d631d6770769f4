import type { Turn } from "../../../src/http/api/index.js";
import { Markdown } from "./markdown-view.js";

/** How a turn's speaker is called on every page. */
export const ROLE_NAMES: Readonly<Record<Turn["role"], string>> = {
  system: "Setting",
  user: "Person",
  assistant: "Assistant",
};

/** A conversation to read. */
export function Turns({ turns }: { turns: readonly Turn[] }) {
  return (
    <ol class="turns">
      {turns.map((turn, i) => (
        <li class={`turn ${turn.role}`} key={i}>
          <span class="role">{ROLE_NAMES[turn.role]}</span>
          <Markdown text={turn.content} />
        </li>
      ))}
    </ol>
  );
}
