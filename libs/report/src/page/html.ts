/** Text made safe for HTML element content and quoted attributes. */
function escapeHtml(text: unknown): string {
  return String(text)
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}

/** HTML that is safe as it stands; only `html` and `raw` make it. */
export class SafeHtml {
  constructor(readonly markup: string) {}
}

type Value = SafeHtml | string | number | undefined | readonly Value[];

/** Template tag that escapes every value that is not SafeHtml; lists are joined, undefined is "". */
export function html(strings: TemplateStringsArray, ...values: readonly Value[]): SafeHtml {
  const parts = strings.flatMap((text, i) => (i === 0 ? [text] : [markupOf(values[i - 1]), text]));
  return new SafeHtml(parts.join(""));
}

/** Markup from this module's own code, never from data. */
export function raw(markup: string): SafeHtml {
  return new SafeHtml(markup);
}

function markupOf(value: Value): string {
  if (value === undefined) return "";
  if (value instanceof SafeHtml) return value.markup;
  if (Array.isArray(value)) return (value as readonly Value[]).map(markupOf).join("");
  return escapeHtml(value);
}
