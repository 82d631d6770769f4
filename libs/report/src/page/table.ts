import { html, type SafeHtml } from "./html.js";

/** A heading over numbers, which stand on the right. */
export function numberHead(text: string | SafeHtml): SafeHtml {
  return html`<th class="n">${text}</th>`;
}

/** A table that scrolls by itself where it is wide; `rows` are `<tr>`s. */
export function table(heads: readonly (string | SafeHtml)[], rows: readonly SafeHtml[]): SafeHtml {
  return html`<div class="scroll">
    <table>
      <thead>
        <tr>
          ${heads.map((head) => (typeof head === "string" ? html`<th>${head}</th>` : head))}
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>
  </div>`;
}
