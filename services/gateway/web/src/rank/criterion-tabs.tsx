import { unrankedOf, type RankState } from "./rank-state.js";

/** The questions to rank by; each keeps its own order. Nothing is shown where there is one alone. */
export function CriterionTabs({
  state: { rows, row, ranks, numAnswers },
  onRow,
}: {
  state: RankState;
  onRow: (row: number) => void;
}) {
  const current = rows[row]!;
  return (
    <div class="criteria">
      {rows.length > 1 && (
        <div class="tabs" role="group" aria-label="Questions">
          {rows.map(({ id, name, isRequired }, i) => {
            const done = numAnswers - unrankedOf(ranks[i]!).length;
            return (
              <button
                class="button small"
                type="button"
                key={id}
                aria-pressed={i === row}
                onClick={() => onRow(i)}
              >
                {name}
                <span class="num">
                  {done === numAnswers ? "✓" : `${done}/${numAnswers}`}
                  <span class="sr"> ranked</span>
                </span>
                {!isRequired && <span class="optional">optional</span>}
              </button>
            );
          })}
        </div>
      )}
      <h2 dir="auto">{current.question}</h2>
    </div>
  );
}
