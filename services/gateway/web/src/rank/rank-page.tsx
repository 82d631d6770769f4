import { ErrorNotice, EmptyState, Loading } from "../ui/notice.js";
import { ComparisonDesk } from "./comparison-desk.js";
import { ProgressLine } from "./progress-line.js";
import { useAssignment } from "./use-assignment.js";
import "./rank.css";

/** Rank: one request, all its answers, put in order; then the next. */
export function RankPage() {
  const desk = useAssignment();
  const { assignment, progress, error, said } = desk;
  return (
    <>
      <header class="page-head">
        <h1 tabIndex={-1}>Rank</h1>
        {progress && <ProgressLine progress={progress} />}
      </header>
      <p class="sr" role="status">
        {said}
      </p>
      <ErrorNotice error={error} {...(assignment ? {} : { retry: desk.next })} />
      {assignment ? (
        <ComparisonDesk key={assignment.assignmentId} assignment={assignment} desk={desk} />
      ) : assignment === null ? (
        <NothingToRank reason={desk.reason} desk={desk} />
      ) : (
        !error && <Loading />
      )}
    </>
  );
}

function NothingToRank({
  reason,
  desk,
}: {
  reason: string;
  desk: ReturnType<typeof useAssignment>;
}) {
  return (
    <EmptyState title="Nothing to rank for you right now">
      <p>{reason || "You have ranked everything that waits. Thank you."}</p>
      <p class="soft">
        New comparisons come with the next round. Until then you can write answers yourself or try
        to break the assistant.
      </p>
      <div class="actions">
        <button class="button primary" type="button" onClick={() => void desk.next()}>
          Look again
        </button>
        <button class="button" type="button" onClick={() => void desk.undo()}>
          Take my last ranking back
        </button>
      </div>
    </EmptyState>
  );
}
