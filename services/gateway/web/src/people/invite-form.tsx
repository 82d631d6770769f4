import { useState } from "preact/hooks";
import type { PersonRole, SignInLink } from "../../../src/http/api/index.js";
import { request } from "../api/client.js";
import { useSession } from "../session/session.js";
import { Field } from "../ui/field.js";
import { ErrorNotice } from "../ui/notice.js";
import { useAction } from "../ui/use-load.js";
import { LinkToCopy } from "./link-to-copy.js";
import { RoleBoxes } from "./roles.js";

/** A new person and the link that lets him in. */
export function InviteForm({ onInvited }: { onInvited: () => unknown }) {
  const { session } = useSession();
  const [name, setName] = useState("");
  const [roles, setRoles] = useState<PersonRole[]>(["rater", "writer"]);
  const [invited, setInvited] = useState<{ name: string; link: SignInLink } | null>(null);
  const { run, error, isBusy } = useAction();
  const isAdmin = session.me.roles.includes("admin");
  const submit = (event: Event) => {
    event.preventDefault();
    void run(async () => {
      const link = await request<SignInLink>("POST", "people/invite", { name: name.trim(), roles });
      setInvited({ name: name.trim(), link });
      setName("");
      onInvited();
    });
  };
  return (
    <section class="tile">
      <h2>Invite somebody</h2>
      <form onSubmit={submit}>
        <Field
          label="Name"
          hint="How this person is called here. Raters do not see each other’s names."
        >
          <input
            dir="auto"
            required
            maxLength={100}
            value={name}
            onInput={(event) => setName(event.currentTarget.value)}
          />
        </Field>
        <RoleBoxes
          roles={roles}
          mayGive={(role) => isAdmin || role === "rater" || role === "writer"}
          onChange={setRoles}
        />
        <button
          class="button primary"
          disabled={isBusy || name.trim() === "" || roles.length === 0}
        >
          Make a link
        </button>
      </form>
      <ErrorNotice error={error} />
      {invited && <LinkToCopy name={invited.name} link={invited.link} />}
    </section>
  );
}
