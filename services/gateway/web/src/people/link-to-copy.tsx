import { useRef, useState } from "preact/hooks";
import type { SignInLink } from "../../../src/http/api/index.js";
import { dateTime } from "../ui/format.js";

/** A sign-in link, shown once, with a button that copies it. */
export function LinkToCopy({
  name,
  link: { link, expiresAt },
}: {
  name: string;
  link: SignInLink;
}) {
  const [state, setState] = useState("");
  const field = useRef<HTMLInputElement>(null);
  const copy = async () => {
    field.current?.select();
    try {
      await navigator.clipboard.writeText(link);
      setState("Copied.");
    } catch {
      setState("Your browser does not let pages copy: press Ctrl+C, the link is selected.");
    }
  };
  return (
    <div class="notice good" role="status">
      <p>
        The link for <bdi>{name}</bdi>. It works once, until {dateTime(expiresAt)}, and is not shown
        again.
      </p>
      <input
        class="wide"
        ref={field}
        readOnly
        value={link}
        aria-label="Sign-in link"
        onFocus={(event) => event.currentTarget.select()}
      />
      <div class="actions">
        <button class="button small" type="button" onClick={() => void copy()}>
          Copy the link
        </button>
        <span>{state}</span>
      </div>
    </div>
  );
}
