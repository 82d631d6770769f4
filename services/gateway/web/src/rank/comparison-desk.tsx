import { useLayoutEffect, useReducer, useState } from "preact/hooks";
import type { Assignment } from "../../../src/http/api/index.js";
import { letter } from "../ui/format.js";
import { FlagDialog } from "../ui/flag-dialog.js";
import { Notice } from "../ui/notice.js";
import { Turns } from "../ui/turns.js";
import { AnswerCard } from "./answer-card.js";
import { CriterionTabs } from "./criterion-tabs.js";
import { HelpDialog } from "./help-dialog.js";
import { OrderBoard } from "./order-board.js";
import { submittable } from "./ranking-given.js";
import { useRankKeys } from "./rank-keys.js";
import { currentRanks, reduceRanking, startRanking, type RankAction } from "./rank-state.js";
import { SkipDialog } from "./skip-dialog.js";
import type { AssignmentDesk } from "./use-assignment.js";
import { useDrag } from "./use-drag.js";

interface Props {
  assignment: Assignment;
  desk: AssignmentDesk;
}

type Open = "skip" | "flag" | "help" | null;

/** The request, its answers and everything that can be done with them. */
export function ComparisonDesk({ assignment, desk }: Props) {
  const { answers, criteria, previous, request } = assignment;
  const [state, dispatch] = useReducer(reduceRanking, undefined, () =>
    startRanking(answers.length, criteria, previous),
  );
  // What is being stored stays as it is: a key too early is for nothing, not for the one before.
  const act = (action: RankAction) => {
    if (!desk.isBusy) dispatch(action);
  };
  const [open, setOpen] = useState<Open>(null);
  const [problem, setProblem] = useState({ text: "", ranks: state.ranks });
  const ranks = currentRanks(state);
  const dragging = useDrag((answer, where) => act(dropAction(answer, where)));
  const close = () => setOpen(null);
  const submit = () => {
    const result = submittable(state);
    setProblem({ text: result.problem ?? "", ranks: state.ranks });
    if (result.given) return void desk.submit(result.given);
    act({ type: "row", row: result.row });
    act({ type: "focus", answer: result.answer });
  };
  const undo = () => (state.past.length > 0 ? act({ type: "undo" }) : void desk.undo());
  const { length: numRows } = state.rows;
  const commands = {
    ...{ act, submit, undo },
    nextRow: (by: number) => act({ type: "row", row: (state.row + by + numRows) % numRows }),
    skip: () => setOpen("skip"),
    flag: () => setOpen("flag"),
    help: () => setOpen("help"),
  };
  useRankKeys(commands);
  // In the same breath as the change: were the browser's focus to lag behind, the two would chase each other.
  useLayoutEffect(() => focusCard(state.focus), [state.focus]);
  return (
    <>
      <section aria-label="Request">
        <Turns turns={request} />
      </section>
      <CriterionTabs state={state} onRow={(row) => act({ type: "row", row })} />
      <section class="answers" aria-label="Answers">
        {answers.map((text, i) => (
          <AnswerCard
            key={i}
            {...{ index: i, text, dragging, numAnswers: answers.length }}
            rank={ranks[i]!}
            isFocused={state.focus === i}
            onRank={(rank) => act({ type: "rank", rank, answer: i })}
            onClear={() => act({ type: "clear", answer: i })}
            onFocus={() => act({ type: "focus", answer: i })}
            onFlag={() => (act({ type: "focus", answer: i }), setOpen("flag"))}
          />
        ))}
      </section>
      <section class="rank-dock" aria-label="Order and actions">
        <OrderBoard
          {...{ ranks, dragging }}
          focus={state.focus}
          onFocus={(answer) => act({ type: "focus", answer })}
        />
        {problem.text && problem.ranks === state.ranks && (
          <Notice kind="bad">{problem.text}</Notice>
        )}
        <DockActions commands={commands} isBusy={desk.isBusy} />
      </section>
      <p class="sr" role="status">
        {announce(ranks, state.focus)}
      </p>
      {open === "help" && <HelpDialog onClose={close} />}
      {open === "skip" && (
        <SkipDialog onClose={close} onSkip={(skip) => (close(), void desk.skip(skip))} />
      )}
      {open === "flag" && (
        <FlagDialog
          what={`answer ${letter(state.focus)}`}
          onClose={close}
          onFlag={(flag) => (close(), void desk.flag({ answer: state.focus, ...flag }))}
        />
      )}
    </>
  );
}

function DockActions({
  commands: { submit, undo, skip, help },
  isBusy,
}: {
  commands: { submit: () => void; undo: () => void; skip: () => void; help: () => void };
  isBusy: boolean;
}) {
  return (
    <div class="actions">
      <button class="button primary" type="button" disabled={isBusy} onClick={submit}>
        Submit <kbd aria-hidden="true">Enter</kbd>
      </button>
      <button class="button" type="button" disabled={isBusy} onClick={undo}>
        Undo <kbd aria-hidden="true">U</kbd>
      </button>
      <button class="button" type="button" disabled={isBusy} onClick={skip}>
        Skip <kbd aria-hidden="true">S</kbd>
      </button>
      <button class="button quiet" type="button" onClick={help}>
        Keys <kbd aria-hidden="true">?</kbd>
      </button>
    </div>
  );
}

function dropAction(answer: number, where: string): RankAction {
  const [kind, number] = where.split(":");
  if (kind === "on") return { type: "drop-on", answer, rank: Number(number) };
  if (kind === "before") return { type: "drop-before", answer, place: Number(number) };
  return { type: "clear", answer };
}

/** Only from another card or from nowhere: who reads the request or a menu is not torn away. */
function focusCard(answer: number): void {
  const at = document.activeElement;
  if (at !== document.body && !at?.closest(".answers, .order-board")) return;
  const card = document.querySelector<HTMLElement>(`[data-answer="${answer}"]`);
  if (!card?.contains(at)) card?.focus({ preventScroll: true });
  card?.scrollIntoView({ block: "nearest" });
}

function announce(ranks: readonly (number | null)[], focus: number): string {
  const done = ranks.filter((rank) => rank !== null).length;
  const rank = ranks[focus];
  const where = `Answer ${letter(focus)}, ${rank ? `rank ${rank}` : "no rank yet"}`;
  return `${where}. ${done} of ${ranks.length} ranked.`;
}
