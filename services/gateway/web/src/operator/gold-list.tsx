import type { GoldItems } from "../../../src/http/api/index.js";
import { count, letter, percent } from "../ui/format.js";
import { Markdown } from "../ui/markdown-view.js";
import { EmptyState, ErrorNotice, Loading } from "../ui/notice.js";
import { Turns } from "../ui/turns.js";
import { useLoad } from "../ui/use-load.js";
import { GoldForm } from "./gold-form.js";

/** Comparisons whose right order is known, and how people did on them. */
export function GoldList() {
  const { data, error, reload } = useLoad<GoldItems>("operator/gold");
  if (error) return <ErrorNotice error={error} retry={reload} />;
  if (!data) return <Loading />;
  if (data.items.length === 0) {
    return (
      <EmptyState title="No gold items yet">
        <p>
          Open a comparison under “Queue”, give its right ranks, and it is mixed in unseen: you see
          then who reads with care.
        </p>
      </EmptyState>
    );
  }
  return (
    <section>
      <h2>Gold items</h2>
      {data.items.map((item) => (
        <details key={item.comparisonId}>
          <summary>
            <bdi>{item.request.at(-1)?.content.slice(0, 90)}</bdi>{" "}
            <span class="note">
              {count(item.ranked, "person", "people")}, {percent(item.accuracy)} of pairs right
            </span>
          </summary>
          <Turns turns={item.request} />
          {item.answers.map((text, i) => (
            <div class="turn assistant" key={i}>
              <span class="role">
                Answer {letter(i)}, right rank {item.ranks[i]}
              </span>
              <Markdown text={text} />
            </div>
          ))}
          <GoldForm
            comparisonId={item.comparisonId}
            numAnswers={item.answers.length}
            ranks={item.ranks}
            isGold
            onChanged={reload}
          />
        </details>
      ))}
    </section>
  );
}
