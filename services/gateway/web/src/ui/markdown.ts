import { micromark, type Options } from "micromark";

type Extension = NonNullable<Options["extensions"]>[number];

/** No pictures: one from elsewhere would tell that place who reads here, and when. */
const NO_IMAGES: Extension = { disable: { null: ["labelStartImage"] } };

/**
 * Markdown as HTML that is safe to show: raw HTML stays text, links lead to http, https and mailto alone
 * and open in a window of their own, headings fit below the page's, code can be scrolled from the keyboard.
 */
export function markdownToHtml(text: string): string {
  return micromark(text, { extensions: [NO_IMAGES] })
    .replace(/<a href="([^"]*)"/g, (_match, href: string) =>
      /^(https?:|mailto:)/i.test(href)
        ? `<a href="${href}" target="_blank" rel="noopener noreferrer nofollow"`
        : "<a",
    )
    .replace(/<(\/?)h([1-6])>/g, (_match, end: string, level: string) =>
      end ? "</h4>" : `<h4 class="h${level}">`,
    )
    .replaceAll("<pre>", '<pre tabindex="0">');
}
