import type { OwnDemonstration, OwnDemonstrations } from "../../../src/http/api/index.js";
import { dateTime } from "../ui/format.js";
import { Markdown } from "../ui/markdown-view.js";
import { EmptyState, ErrorNotice, Loading } from "../ui/notice.js";
import { ROLE_NAMES } from "../ui/turns.js";
import { useLoad } from "../ui/use-load.js";
import { Diff } from "./turn-editor.js";

/** What this person has handed in, with what he changed in the model's words. */
export function OwnDemonstrationList() {
  const { data, error, reload } = useLoad<OwnDemonstrations>("write/demonstrations");
  if (error) return <ErrorNotice error={error} retry={reload} />;
  if (!data) return <Loading />;
  if (data.items.length === 0) {
    return (
      <EmptyState title="You have not written an example yet">
        <p>
          Take a request, let the model draft an answer, and make it better; or write all of it.
          Three good examples already help.
        </p>
      </EmptyState>
    );
  }
  return (
    <section>
      <h2>Your examples</h2>
      {data.items.map((item) => (
        <OneDemonstration item={item} key={item.demonstrationId} />
      ))}
    </section>
  );
}

function OneDemonstration({ item }: { item: OwnDemonstration }) {
  return (
    <details>
      <summary>
        <span class="excerpt" dir="auto">
          {item.turns.find(({ role }) => role === "user")?.content ?? ""}
        </span>{" "}
        <span class="note">{dateTime(item.createdAt)}</span>
      </summary>
      <ol class="turns">
        {item.turns.map(({ role, content, draft }, i) => (
          <li class={`turn ${role}`} key={i}>
            <span class="role">{ROLE_NAMES[role]}</span>
            {draft === null || draft === content ? (
              <Markdown text={content} />
            ) : (
              <Diff before={draft} after={content} />
            )}
          </li>
        ))}
      </ol>
    </details>
  );
}
