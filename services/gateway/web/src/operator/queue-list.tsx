import { useState } from "preact/hooks";
import type { ComparisonState, QueueItem, Withdrawn } from "../../../src/http/api/index.js";
import { request } from "../api/client.js";
import { dateTime, letter } from "../ui/format.js";
import { Markdown } from "../ui/markdown-view.js";
import { EmptyState, ErrorNotice } from "../ui/notice.js";
import { PagedList } from "../ui/paged-list.js";
import { Turns } from "../ui/turns.js";
import { useAction } from "../ui/use-load.js";
import { GoldForm } from "./gold-form.js";

const STATES: readonly (readonly [ComparisonState, string])[] = [
  ["open", "Waiting"],
  ["done", "Ranked"],
  ["withdrawn", "Withdrawn"],
];

/** The comparisons, by state; each can be withdrawn or made a gold item. */
export function QueueList() {
  const [state, setState] = useState<ComparisonState>("open");
  return (
    <section>
      <h2>Comparisons</h2>
      <div class="tabs" role="group" aria-label="State">
        {STATES.map(([id, name]) => (
          <button
            class="button small"
            type="button"
            key={id}
            aria-pressed={id === state}
            onClick={() => setState(id)}
          >
            {name}
          </button>
        ))}
      </div>
      <PagedList<QueueItem>
        key={state}
        path={`operator/queue?state=${state}`}
        empty={<NoComparisons state={state} />}
      >
        {(items, reload) =>
          items.map((item) => (
            <OneComparison item={item} key={item.comparisonId} onChanged={reload} />
          ))
        }
      </PagedList>
    </section>
  );
}

function NoComparisons({ state }: { state: ComparisonState }) {
  if (state !== "open") return <p class="soft">None.</p>;
  return (
    <EmptyState title="Nothing waits for people">
      <p>Start a round under “Rounds”: the assistant then answers requests for people to rank.</p>
    </EmptyState>
  );
}

function OneComparison({ item, onChanged }: { item: QueueItem; onChanged: () => Promise<void> }) {
  const { run, error, isBusy } = useAction();
  const withdraw = () =>
    run(async () => {
      const comparisonIds = [item.comparisonId];
      await request<Withdrawn>("POST", "operator/queue/withdraw", { comparisonIds });
      await onChanged();
    });
  return (
    <details>
      <summary>
        <bdi>{item.request.at(-1)?.content.slice(0, 90)}</bdi>{" "}
        <span class="note num">
          {item.ranked} of {item.wanted} people
          {item.held > 0 && `, ${item.held} at it`}
          {item.skipped > 0 && `, ${item.skipped} skipped`}
        </span>{" "}
        {item.gold && <span class="tag good">gold</span>}
      </summary>
      <p class="note">
        From <bdi>{item.modelVersion || "an unnamed model"}</bdi>, {dateTime(item.createdAt)}
      </p>
      <Turns turns={item.request} />
      {item.answers.map((text, i) => (
        <div class="turn assistant" key={i}>
          <span class="role">Answer {letter(i)}</span>
          <Markdown text={text} />
        </div>
      ))}
      <ErrorNotice error={error} />
      <GoldForm
        comparisonId={item.comparisonId}
        numAnswers={item.answers.length}
        isGold={item.gold}
        onChanged={onChanged}
      />
      {item.state !== "withdrawn" && (
        <div class="actions">
          <button
            class="button small danger"
            type="button"
            disabled={isBusy}
            onClick={() => void withdraw()}
          >
            Withdraw: nobody is given it any more
          </button>
        </div>
      )}
    </details>
  );
}
