import { Markdown } from "./markdown-view.js";

/** An answer while it is written, with a way to stop it. Read out when it is whole, not word by word. */
export function GrowingAnswer({ text, onStop }: { text: string; onStop: () => void }) {
  return (
    <div class="turn assistant growing" aria-busy="true">
      <span class="role">Assistant is writing …</span>
      <Markdown text={text} />
      <div class="actions">
        <button class="button small" type="button" onClick={onStop}>
          Stop
        </button>
      </div>
    </div>
  );
}
