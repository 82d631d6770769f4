import { useState } from "preact/hooks";
import type { TurnRole } from "../../../src/http/api/index.js";
import { Markdown } from "../ui/markdown-view.js";
import { ROLE_NAMES } from "../ui/turns.js";
import { diffWords } from "./diff-words.js";
import type { EditedTurn } from "./draft-state.js";

interface Props {
  turn: EditedTurn;
  index: number;
  isGiven: boolean;
  isLast: boolean;
  onChange: (content: string) => void;
  onRemove: () => void;
}

const HINTS: Readonly<Record<TurnRole, string>> = {
  system: "What the assistant should know before it begins.",
  user: "What a person asks. You play that person.",
  assistant: "The best answer that you can think of.",
};

/** One turn of a demonstration, to edit; what the model had written stays in sight. */
export function TurnEditor({ turn, index, isGiven, isLast, onChange, onRemove }: Props) {
  const [isDiffShown, setDiffShown] = useState(false);
  const { role, content, draft } = turn;
  if (isGiven) {
    return (
      <li class={`turn ${role}`}>
        <span class="role">{ROLE_NAMES[role]} (given)</span>
        <Markdown text={content} />
      </li>
    );
  }
  return (
    <li class={`turn ${role}`}>
      <label>
        <span class="role">
          {index + 1}. {ROLE_NAMES[role]}. {HINTS[role]}
        </span>
        <textarea
          dir="auto"
          value={content}
          data-turn={index}
          onInput={(event) => onChange(event.currentTarget.value)}
        />
      </label>
      <div class="actions">
        {draft !== null && (
          <button
            class="button small"
            type="button"
            aria-expanded={isDiffShown}
            onClick={() => setDiffShown(!isDiffShown)}
          >
            {isDiffShown ? "Hide" : "Show"} what I changed
          </button>
        )}
        {draft !== null && draft !== content && (
          <button class="button small quiet" type="button" onClick={() => onChange(draft)}>
            Back to the model’s words
          </button>
        )}
        {isLast && (
          <button class="button small quiet" type="button" onClick={onRemove}>
            Remove this turn
          </button>
        )}
      </div>
      {isDiffShown && draft !== null && <Diff before={draft} after={content} />}
    </li>
  );
}

/** Removed words struck through, added ones underlined: not by colour alone. */
export function Diff({ before, after }: { before: string; after: string }) {
  return (
    <p class="diff" dir="auto">
      {diffWords(before, after).map(({ kind, text }, i) =>
        kind === "same" ? (
          <span key={i}>{text}</span>
        ) : kind === "added" ? (
          <ins key={i}>{text}</ins>
        ) : (
          <del key={i}>{text}</del>
        ),
      )}
    </p>
  );
}
