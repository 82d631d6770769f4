import { html, type SafeHtml } from "./html.js";
import type { AlarmRow } from "./report-data.js";
import { numberHead, table } from "./table.js";

/** What runs warned of, what it means and what to try; nothing when there was nothing. */
export function alarmsSection(alarms: readonly AlarmRow[]): SafeHtml | "" {
  if (alarms.length === 0) return "";
  const rows = alarms.map(
    ({ run, step, message, meaning, advice }) =>
      html`<tr>
        <td>${run}</td>
        <td class="n">${step ?? "–"}</td>
        <td>${message}</td>
        <td>${meaning}</td>
        <td>${advice}</td>
      </tr>`,
  );
  const heads = ["Run", numberHead("Step"), "What was seen", "What it means", "What to try"];
  return html`<section>
    <h2>Alarms</h2>
    ${table(heads, rows)}
  </section>`;
}
