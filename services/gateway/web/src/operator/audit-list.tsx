import type { AuditRow } from "../../../src/http/api/index.js";
import { dateTime } from "../ui/format.js";
import { PagedList } from "../ui/paged-list.js";

/** Who changed what, newest first. */
export function AuditList() {
  return (
    <section>
      <h2>Who did what</h2>
      <PagedList<AuditRow> path="operator/audit" empty={<p class="soft">Nothing yet.</p>}>
        {(rows) => (
          <div class="scroll" tabIndex={0} role="region" aria-label="Who did what">
            <table>
              <thead>
                <tr>
                  <th scope="col">When</th>
                  <th scope="col">Who</th>
                  <th scope="col">What</th>
                  <th scope="col">To what</th>
                  <th scope="col">More</th>
                </tr>
              </thead>
              <tbody>
                {rows.map((row, i) => (
                  <tr key={i}>
                    <td>{dateTime(row.at)}</td>
                    <td>
                      <bdi>{row.who}</bdi>
                    </td>
                    <td>{row.action}</td>
                    <td>{row.subject}</td>
                    <td>
                      <code>
                        {Object.keys(row.details).length > 0 ? JSON.stringify(row.details) : ""}
                      </code>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </PagedList>
    </section>
  );
}
