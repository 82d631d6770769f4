import { useState } from "preact/hooks";
import type { Session } from "../../../src/http/api/index.js";
import { request } from "../api/client.js";
import { Field } from "../ui/field.js";
import { ErrorNotice, Notice } from "../ui/notice.js";
import { useAction } from "../ui/use-load.js";
import { useSession } from "./session.js";

const [MIN_LENGTH, MAX_LENGTH] = [12, 256];

/** A password for whoever does not want to ask for a link each time. */
export function PasswordForm() {
  const { session } = useSession();
  const [password, setPassword] = useState("");
  const [isSaved, setSaved] = useState(false);
  const { run, error, isBusy } = useAction();
  const submit = (event: Event) => {
    event.preventDefault();
    void run(async () => {
      await request<Session>("PUT", "session/password", { password });
      setPassword("");
      setSaved(true);
    });
  };
  return (
    <details>
      <summary>{session.me.hasPassword ? "Change my password" : "Set a password"}</summary>
      <form onSubmit={submit}>
        <input type="hidden" autocomplete="username" value={session.me.name} />
        <Field
          label="New password"
          hint={`At least ${MIN_LENGTH} characters. You can then sign in by name, without a link.`}
        >
          <input
            type="password"
            autocomplete="new-password"
            minLength={MIN_LENGTH}
            maxLength={MAX_LENGTH}
            required
            value={password}
            onInput={(event) => setPassword(event.currentTarget.value)}
          />
        </Field>
        <ErrorNotice error={error} />
        {isSaved && <Notice kind="good">Saved.</Notice>}
        <button class="button" disabled={isBusy}>
          Save the password
        </button>
      </form>
    </details>
  );
}
