import { html, type SafeHtml } from "./html.js";
import type { AlarmRow } from "./report-data.js";

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
  return html`<section>
    <h2>Alarms</h2>
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th>Run</th>
            <th class="n">Step</th>
            <th>What was seen</th>
            <th>What it means</th>
            <th>What to try</th>
          </tr>
        </thead>
        <tbody>
          ${rows}
        </tbody>
      </table>
    </div>
  </section>`;
}
