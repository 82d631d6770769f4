import type { Disagreement, Disagreements } from "../../../src/http/api/index.js";
import { decimal, letter } from "../ui/format.js";
import { Markdown } from "../ui/markdown-view.js";
import { ErrorNotice } from "../ui/notice.js";
import { Turns } from "../ui/turns.js";
import { useLoad } from "../ui/use-load.js";

/** Comparisons on which people are far apart: the request is unclear, or somebody misunderstood the task. */
export function DisagreementSection() {
  const { data, error, reload } = useLoad<Disagreements>("people/disagreements");
  return (
    <section>
      <h2>Where they disagree</h2>
      <ErrorNotice error={error} retry={reload} />
      {data?.disagreements.length === 0 && (
        <p class="soft">No comparison on which people are far apart.</p>
      )}
      {data?.disagreements.map((item) => (
        <OneDisagreement item={item} key={item.comparisonId} />
      ))}
    </section>
  );
}

function OneDisagreement({ item }: { item: Disagreement }) {
  const { request, answers, kendallW, rankings } = item;
  return (
    <details>
      <summary>
        <bdi>{request.at(-1)?.content.slice(0, 90)}</bdi>{" "}
        <span class="note">Kendall’s W {decimal(kendallW)}</span>
      </summary>
      <Turns turns={request} />
      <div class="scroll" tabIndex={0} role="region" aria-label="Ranks by person">
        <table>
          <thead>
            <tr>
              <th scope="col">Answer</th>
              {rankings.map(({ personId, name }) => (
                <th scope="col" class="n" key={personId}>
                  <bdi>{name}</bdi>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {answers.map((text, i) => (
              <tr key={i}>
                <th scope="row">
                  {letter(i)}
                  <Markdown text={text} />
                </th>
                {rankings.map(({ personId, ranks }) => (
                  <td class="n" key={personId}>
                    {ranks[i]}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
