import { useState } from "preact/hooks";
import { ChatPanel } from "./chat-panel.js";
import { SideBySide } from "./side-by-side.js";
import "./chat.css";

/** Chat: talk to any version; votes become feedback. */
export function ChatPage() {
  const [isSideBySide, setSideBySide] = useState(false);
  const choice = (value: boolean, name: string) => (
    <button
      class="button small"
      type="button"
      aria-pressed={isSideBySide === value}
      onClick={() => setSideBySide(value)}
    >
      {name}
    </button>
  );
  return (
    <>
      <h1 tabIndex={-1}>Chat</h1>
      <p class="lead">Talk to the assistant. Your votes teach it.</p>
      <div class="tabs" role="group" aria-label="Way of chatting">
        {choice(false, "One version")}
        {choice(true, "Two versions, blind")}
      </div>
      {isSideBySide ? <SideBySide /> : <ChatPanel />}
    </>
  );
}
