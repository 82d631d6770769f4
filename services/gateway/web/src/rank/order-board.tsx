import { Fragment } from "preact";
import { letter } from "../ui/format.js";
import { placesOf, unrankedOf, type Rank } from "./rank-state.js";
import type { useDrag } from "./use-drag.js";

interface Props {
  ranks: readonly Rank[];
  focus: number;
  dragging: ReturnType<typeof useDrag>;
  onFocus: (answer: number) => void;
}

/** The order so far in one line: places from best to worst, and what has no rank. Letters can be dragged. */
export function OrderBoard({ ranks, focus, dragging, onFocus }: Props) {
  const places = placesOf(ranks);
  const { drag } = dragging;
  const over = (where: string) => (drag?.over === where ? "over" : "");
  const chip = (answer: number) => (
    <button
      type="button"
      tabIndex={-1}
      class={`order-chip ${answer === focus ? "current" : ""}`}
      key={answer}
      onClick={() => onFocus(answer)}
      aria-label={`Answer ${letter(answer)}: go to it, or drag it to a place`}
      {...dragging.handle(answer)}
    >
      {letter(answer)}
    </button>
  );
  const gap = (place: number) => (
    <span
      class={`gap ${over(`before:${place}`)}`}
      data-drop={`before:${place}`}
      aria-hidden="true"
    />
  );
  return (
    <div class={`order-board ${drag ? "dragging" : ""}`} role="group" aria-label="The order so far">
      <span class="order-end">best</span>
      {gap(0)}
      {places.map(({ rank, answers }, i) => (
        <Fragment key={rank}>
          <span
            class={`place ${over(`on:${rank}`)}`}
            data-drop={`on:${rank}`}
            data-rank={rank}
            data-answers={answers.join(",")}
          >
            <span class="place-rank num">{rank}</span>
            {answers.map(chip)}
          </span>
          {gap(i + 1)}
        </Fragment>
      ))}
      <span class="order-end">worst</span>
      <span class={`place unranked ${over("none")}`} data-drop="none">
        <span class="place-rank">
          {unrankedOf(ranks).length > 0 ? "no rank yet" : "all ranked"}
        </span>
        {unrankedOf(ranks).map(chip)}
      </span>
    </div>
  );
}
