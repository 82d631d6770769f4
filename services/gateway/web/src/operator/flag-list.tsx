import type { FlagSeen } from "../../../src/http/api/index.js";
import { flagText } from "../ui/flag-dialog.js";
import { dateTime } from "../ui/format.js";
import { EmptyState } from "../ui/notice.js";
import { PagedList } from "../ui/paged-list.js";
import { Turns } from "../ui/turns.js";

/** What people flagged, newest first. */
export function FlagList() {
  return (
    <section>
      <h2>Flags</h2>
      <PagedList<FlagSeen>
        path="operator/flags"
        empty={
          <EmptyState title="Nobody has flagged anything">
            <p>Ask people to open “Break it” and to look for answers that should not be given.</p>
          </EmptyState>
        }
      >
        {(items) =>
          items.map((flag) => (
            <details key={flag.flagId}>
              <summary>
                {flagText(flag.category)}{" "}
                <span class="note">
                  by <bdi>{flag.by}</bdi>, {dateTime(flag.createdAt)}
                </span>
              </summary>
              {flag.comment && <p dir="auto">{flag.comment}</p>}
              <p class="note">
                From <bdi>{flag.modelVersion || "an unnamed model"}</bdi>
              </p>
              <Turns turns={flag.turns} />
            </details>
          ))
        }
      </PagedList>
    </section>
  );
}
