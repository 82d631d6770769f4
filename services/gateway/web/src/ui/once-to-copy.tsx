import type { ComponentChildren } from "preact";
import { useRef, useState } from "preact/hooks";

/** A secret that is shown once, with a button that copies it. */
export function OnceToCopy({
  label,
  action,
  value,
  children,
}: {
  label: string;
  /** What the button says. */
  action: string;
  value: string;
  children: ComponentChildren;
}) {
  const [state, setState] = useState("");
  const field = useRef<HTMLInputElement>(null);
  const copy = async () => {
    field.current?.select();
    try {
      await navigator.clipboard.writeText(value);
      setState("Copied.");
    } catch {
      setState("Your browser does not let pages copy: press Ctrl+C, it is selected.");
    }
  };
  return (
    <div class="notice good" role="status">
      <p>{children}</p>
      <input
        class="wide"
        ref={field}
        readOnly
        value={value}
        aria-label={label}
        onFocus={(event) => event.currentTarget.select()}
      />
      <div class="actions">
        <button class="button small" type="button" onClick={() => void copy()}>
          {action}
        </button>
        <span>{state}</span>
      </div>
    </div>
  );
}
