import { useState } from "preact/hooks";

interface Props {
  label: string;
  button: string;
  isBusy: boolean;
  onSend: (text: string) => void;
}

/** Where somebody writes a message: Enter sends, Shift+Enter begins a new line. */
export function MessageBox({ label, button, isBusy, onSend }: Props) {
  const [text, setText] = useState("");
  const send = () => {
    if (text.trim() === "" || isBusy) return;
    onSend(text.trim());
    setText("");
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    send();
  };
  return (
    <form
      class="message-box"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <label class="field">
        <span>{label}</span>
        <textarea
          dir="auto"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
          onKeyDown={onKeyDown}
        />
        <small>Enter sends, Shift+Enter begins a new line.</small>
      </label>
      <button class="button primary" disabled={isBusy || text.trim() === ""}>
        {button}
      </button>
    </form>
  );
}
