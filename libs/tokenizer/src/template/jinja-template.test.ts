import { describe, expect, it } from "vitest";
import { formatDate } from "./jinja-globals.js";
import { compileTemplate } from "./jinja-template.js";

const render = (text: string, content = "") =>
  compileTemplate({ text, withTools: text, names: { bos_token: "<s>" } }).render([
    { role: "user", content },
  ]);

describe("compileTemplate()", () => {
  it("compares and strips as Python does", () => {
    const content = "{% set c = messages[0].content %}";
    for (const [expression, text, expected] of [
      ["c != false", "", "True"],
      ["c == none", "", "False"],
      ["x == none", "", "False"],
      ["c == 'a'", "a", "True"],
      ["1 == true", "", "True"],
      ["c.lstrip('\\n')", "\n  a", "  a"],
      ["c.rstrip('ab')", "xaba", "x"],
      ["c.strip()", "\u0085 a\u001f", "a"],
      ["c | trim", "\ufeffa \n", "\ufeffa"],
      ["messages | selectattr('tool_calls', 'undefined') | list | length", "", "1"],
      ["messages | selectattr('role', 'undefined') | list | length", "", "0"],
      ["messages | rejectattr('tool_calls', 'undefined') | list | length", "", "0"],
      ["messages | rejectattr('role', 'undefined') | list | length", "", "1"],
      ["messages | rejectattr('role', 'defined') | list | length", "", "0"],
      ["c.strip(none)", " a ", "a"],
    ] as const) {
      const printed = render(`${content}{{ ${expression} }}`, text);
      expect(
        printed.replace(/^[tf]/, (c) => c.toUpperCase()),
        expression,
      ).toBe(expected);
    }
  });

  it("gives templates what transformers gives them", () => {
    expect(render("{{ bos_token }}{% for i in range(1, 6, 2) %}{{ i }}{% endfor %}")).toBe(
      "<s>135",
    );
    expect(render("{{ tools is none and documents is none }}")).toMatch(/^true$/i);
    expect(render("{{ strftime_now('%Y') }}")).toMatch(/^\d{4}$/);
    expect(() => render("{{ range(1000000000) }}")).toThrow("range is longer than 100000");
    expect(() => render("{{ strftime_now('%q') }}")).toThrow("strftime_now does not know %q");
  });

  it("prints its marks where generation blocks stand, and trims as at a block", () => {
    const text = "a\n  {% generation %}\nb\n{%- endgeneration -%}\n c";
    const { renderMarked } = compileTemplate({ text, withTools: text, names: {} });
    expect(renderMarked!([], {}, { open: "<", close: ">" })).toBe("a\n<b>c");
    expect(render(text)).toBe("a\nbc");
  });
});

describe("formatDate()", () => {
  it("writes dates as strftime does", () => {
    const date = new Date(2026, 0, 5, 0, 7, 9);
    expect(formatDate(date, "%d %b %Y, %A %H:%M:%S %I %p %% %B %a %m")).toBe(
      "05 Jan 2026, Monday 00:07:09 12 AM % January Mon 01",
    );
  });
});
