import { letter } from "../ui/format.js";
import { Markdown } from "../ui/markdown-view.js";
import type { Rank } from "./rank-state.js";
import type { useDrag } from "./use-drag.js";

interface Props {
  index: number;
  text: string;
  numAnswers: number;
  rank: Rank;
  isFocused: boolean;
  dragging: ReturnType<typeof useDrag>;
  onRank: (rank: number) => void;
  onClear: () => void;
  onFocus: () => void;
  onFlag: () => void;
}

/** One answer, whole, with its ranks to choose from. */
export function AnswerCard(props: Props) {
  const { index, text, rank, isFocused, dragging, onFocus } = props;
  const name = `Answer ${letter(index)}`;
  return (
    <article
      class={`answer-card ${isFocused ? "current" : ""} ${rank === null ? "" : "ranked"}`}
      tabIndex={isFocused ? 0 : -1}
      aria-label={`${name}, ${rank === null ? "no rank yet" : `rank ${rank}`}`}
      data-answer={index}
      data-shown-rank={rank ?? ""}
      onFocusIn={onFocus}
      onClick={onFocus}
    >
      <header>
        <h3 class="drag-handle" {...dragging.handle(index)}>
          {name}
        </h3>
        <span class="shown-rank">{rank === null ? "no rank yet" : `rank ${rank}`}</span>
        <button class="button small quiet" type="button" onClick={props.onFlag}>
          <span aria-hidden="true">⚑</span> Flag<span class="sr"> {name}</span>
        </button>
      </header>
      <RankButtons {...props} name={name} />
      <Markdown text={text} />
    </article>
  );
}

function RankButtons({
  name,
  numAnswers,
  rank,
  isFocused,
  onRank,
  onClear,
}: Props & { name: string }) {
  return (
    <div class="rank-buttons" role="group" aria-label={`Rank of ${name}`}>
      {Array.from({ length: numAnswers }, (_, i) => i + 1).map((choice) => (
        <button
          type="button"
          key={choice}
          class="rank-button num"
          tabIndex={isFocused ? 0 : -1}
          aria-pressed={choice === rank}
          aria-label={`Rank ${choice}`}
          onClick={(event) => {
            event.stopPropagation();
            // Or Enter would press this button again instead of submitting.
            event.currentTarget
              .closest<HTMLElement>(".answer-card")
              ?.focus({ preventScroll: true });
            if (choice === rank) onClear();
            else onRank(choice);
          }}
        >
          {choice}
        </button>
      ))}
    </div>
  );
}
