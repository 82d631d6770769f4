import type { Agreement } from "../../../src/http/api/index.js";
import { decimal } from "../ui/format.js";
import { ErrorNotice } from "../ui/notice.js";
import { useLoad } from "../ui/use-load.js";

/** How far people agree, by criterion, in figures and words. */
export function AgreementSection() {
  const { data, error, reload } = useLoad<Agreement>("people/agreement");
  const isEmpty = data?.criteria.every(({ comparisons }) => comparisons === 0);
  return (
    <section>
      <h2>How far people agree</h2>
      <ErrorNotice error={error} retry={reload} />
      {isEmpty && (
        <p class="soft">
          Nothing to say yet: two people must rank the same comparison. On the page Operator, set
          how many people rank each one.
        </p>
      )}
      {data && !isEmpty && (
        <div class="scroll" tabIndex={0} role="region" aria-label="Agreement">
          <table>
            <thead>
              <tr>
                <th scope="col">Question</th>
                <th scope="col">In words</th>
                <th scope="col" class="n">
                  Krippendorff’s α
                </th>
                <th scope="col" class="n">
                  Kendall’s W
                </th>
                <th scope="col" class="n">
                  Comparisons
                </th>
                <th scope="col" class="n">
                  People
                </th>
              </tr>
            </thead>
            <tbody>
              {data.criteria.map(({ criterion, alpha, kendallW, comparisons, people }) => (
                <tr key={criterion}>
                  <th scope="row">{criterion === "overall" ? "Overall" : criterion}</th>
                  <td>{inWords(alpha)}</td>
                  <td class="n">{decimal(alpha)}</td>
                  <td class="n">{decimal(kendallW)}</td>
                  <td class="n">{comparisons}</td>
                  <td class="n">{people}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <p class="note">
        Both are 1 when everybody agrees; α is 0 when people agree no more than by chance.
      </p>
    </section>
  );
}

/** Krippendorff's own advice: rely on 0.8 and above, be careful from 0.667. */
function inWords(alpha: number | null): string {
  if (alpha === null) return "too little to say";
  if (alpha >= 0.8) return "people agree";
  if (alpha >= 0.667) return "people agree roughly";
  if (alpha > 0.2) return "people differ a lot";
  return "no more than chance";
}
