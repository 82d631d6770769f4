import type { OwnFlag, Paged } from "../../../src/http/api/index.js";
import { flagText } from "../ui/flag-dialog.js";
import { dateTime } from "../ui/format.js";
import { EmptyState, ErrorNotice } from "../ui/notice.js";
import { Turns } from "../ui/turns.js";
import { useLoad } from "../ui/use-load.js";

/** What this person has flagged. */
export function OwnFlagList() {
  const { data, error, reload } = useLoad<Paged<OwnFlag>>("break/flags");
  if (error) return <ErrorNotice error={error} retry={reload} />;
  if (!data) return null;
  if (data.items.length === 0) {
    return (
      <EmptyState title="No flags from you yet">
        <p>Ask something that a bad assistant would answer. If it does, flag the answer.</p>
      </EmptyState>
    );
  }
  return (
    <section>
      <h2>Your flags</h2>
      {data.items.map((flag) => (
        <details key={flag.flagId}>
          <summary>
            {flagText(flag.category)} <span class="note">{dateTime(flag.createdAt)}</span>
          </summary>
          {flag.comment && <p dir="auto">{flag.comment}</p>}
          <Turns turns={flag.turns} />
        </details>
      ))}
    </section>
  );
}
