import { describe, expect, it } from "vitest";
import { markdownToHtml } from "./markdown.js";

describe("markdownToHtml()", () => {
  it("shows headings, lists, emphasis and code", () => {
    expect(markdownToHtml("# Hi\n\n- *a*\n- `b`")).toBe(
      '<h4 class="h1">Hi</h4>\n<ul>\n<li><em>a</em></li>\n<li><code>b</code></li>\n</ul>',
    );
  });

  const tricks = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "text <b onmouseover=alert(1)>x</b>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](data:text/html,<script>alert(1)</script>)",
    "<javascript:alert(1)>",
    '[x](https://a.example "t\\" onclick=\\"alert(1)")',
    '[x](https://a.example/"onclick="alert(1))',
    "![x](https://spy.example/pixel.png)",
    "![x][1]\n\n[1]: https://spy.example/pixel.png",
    "[x](/api/session)",
    "</div><script>alert(1)</script>",
    "```html\n<script>alert(1)</script>\n```",
    "<a href='javascript:alert(1)'>x</a>",
    "<!-- --><svg/onload=alert(1)>",
  ];
  for (const trick of tricks) {
    it(`keeps ${JSON.stringify(trick)} text`, () => {
      const tags = [...markdownToHtml(trick).matchAll(/<[^>]*>/g)].map(([tag]) => tag);
      for (const tag of tags) {
        expect(tag).toMatch(
          /^<\/?(p|pre|code|a|h4|ul|li|em)>$|^<pre tabindex="0">$|^<code class="language-[a-z]+">$|^<a href="https:\/\/[^"]*" target="_blank" rel="noopener noreferrer nofollow"( title="[^"]*")?>$/,
        );
      }
    });
  }
});
