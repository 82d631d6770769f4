import { useMemo } from "preact/hooks";
import { markdownToHtml } from "./markdown.js";

/** What a person or a model wrote, as sanitised Markdown in its own direction of writing. */
export function Markdown({ text }: { text: string }) {
  const html = useMemo(() => markdownToHtml(text), [text]);
  return <div class="md" dir="auto" dangerouslySetInnerHTML={{ __html: html }} />;
}
