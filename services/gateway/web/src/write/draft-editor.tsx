import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Draft } from "../../../src/http/api/index.js";
import { GrowingAnswer } from "../ui/growing-answer.js";
import { ModelChoice } from "../ui/model-choice.js";
import { ErrorNotice, Notice } from "../ui/notice.js";
import { useAnswer } from "../ui/use-answer.js";
import { nextRole, problemOfDraft, type EditedTurn } from "./draft-state.js";
import { TurnEditor } from "./turn-editor.js";
import { useDraft } from "./use-draft.js";

const SAVE_TEXT = { saved: "Saved.", changed: "Not saved yet …", saving: "Saving …" } as const;

interface Props {
  draft: Draft;
  /** Turns at the beginning that were given and stay as they are. */
  numGiven: number;
  onSubmitted: () => void;
  onLeave: () => void;
  onDrop: () => void;
}

/** The whole demonstration, turn by turn, with the model's help where it is wanted. */
export function DraftEditor({ draft, numGiven, onSubmitted, onLeave, onDrop }: Props) {
  const { turns, state, error, setTurns, save, submit } = useDraft(draft);
  const [model, setModel] = useState("");
  const [problem, setProblem] = useState("");
  const writer = useAnswer("write/answers");
  useFocusOnNewTurn(turns.length);
  const role = nextRole(turns);
  const isWriting = writer.text !== null;
  const canAsk = role === "assistant" && turns.at(-1)?.content.trim() !== "";
  const append = (turn: EditedTurn) => setTurns((all) => [...all, turn]);
  const letModelWrite = async () => {
    const asked = turns.map(({ role, content }) => ({ role, content }));
    const answer = await writer.ask({ turns: asked, model });
    if (!answer) return;
    const { text, answerId, isWhole } = answer;
    const isKnown = isWhole && answerId !== "";
    append({ role: "assistant", content: text, answerId: isKnown ? answerId : null, draft: text });
  };
  const handIn = async () => {
    const found = problemOfDraft(turns);
    setProblem(found ?? "");
    if (!found && (await submit())) onSubmitted();
  };
  return (
    <>
      <ol class="turns">
        {turns.map((turn, i) => (
          <TurnEditor
            key={i}
            {...{ turn, index: i }}
            isGiven={i < numGiven}
            isLast={i === turns.length - 1}
            onChange={(content) =>
              setTurns((all) => all.map((old, at) => (at === i ? { ...old, content } : old)))
            }
            onRemove={() => setTurns((all) => all.slice(0, -1))}
          />
        ))}
      </ol>
      {isWriting && <GrowingAnswer text={writer.text!} onStop={writer.stop} />}
      <ErrorNotice error={writer.error} />
      <div class="actions">
        {role === "assistant" && (
          <button
            class="button"
            type="button"
            disabled={!canAsk || isWriting}
            onClick={() => void letModelWrite()}
          >
            Let the model draft the answer
          </button>
        )}
        <button
          class="button"
          type="button"
          disabled={isWriting}
          onClick={() => append({ role, content: "", answerId: null, draft: null })}
        >
          {role === "assistant" ? "Write the answer from nothing" : "Add a person’s turn"}
        </button>
      </div>
      <ModelChoice label="Model that drafts" value={model} onChange={setModel} />
      <ErrorNotice error={error} retry={save} />
      {problem && <Notice kind="bad">{problem}</Notice>}
      <div class="actions">
        <button
          class="button primary"
          type="button"
          disabled={isWriting}
          onClick={() => void handIn()}
        >
          Hand in as an example
        </button>
        <button class="button" type="button" onClick={onLeave}>
          Keep as a draft
        </button>
        <button class="button quiet danger" type="button" onClick={onDrop}>
          Throw away
        </button>
        <span class="soft" role="status">
          {SAVE_TEXT[state]}
        </span>
      </div>
    </>
  );
}

/** Whoever adds a turn, or has one written, goes on in it. */
function useFocusOnNewTurn(numTurns: number): void {
  const before = useRef(numTurns);
  useLayoutEffect(() => {
    const isNew = numTurns > before.current;
    before.current = numTurns;
    if (isNew) document.querySelector<HTMLElement>(`[data-turn="${numTurns - 1}"]`)?.focus();
  }, [numTurns]);
}
