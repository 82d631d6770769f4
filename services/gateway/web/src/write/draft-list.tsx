import type { Draft, Drafts } from "../../../src/http/api/index.js";
import { count, dateTime } from "../ui/format.js";
import { ErrorNotice } from "../ui/notice.js";
import type { Loaded } from "../ui/use-load.js";

/** Examples that are not handed in yet. */
export function DraftList({
  drafts: { data, error, reload },
  onOpen,
  onDrop,
}: {
  drafts: Loaded<Drafts>;
  onOpen: (draft: Draft) => void;
  onDrop: (draft: Draft) => void;
}) {
  if (error) return <ErrorNotice error={error} retry={reload} />;
  if (!data || data.drafts.length === 0) return null;
  return (
    <section>
      <h2>Your drafts</h2>
      <ul class="tiles">
        {data.drafts.map((draft) => (
          <li class="tile" key={draft.draftId}>
            <p class="excerpt" dir="auto">
              {draft.turns.find(({ content }) => content.trim() !== "")?.content ?? "(empty)"}
            </p>
            <p class="note">
              {count(draft.turns.length, "turn")}, changed {dateTime(draft.updatedAt)}
            </p>
            <div class="actions">
              <button class="button small" type="button" onClick={() => onOpen(draft)}>
                Go on
              </button>
              <button class="button small quiet danger" type="button" onClick={() => onDrop(draft)}>
                Throw away
              </button>
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}
