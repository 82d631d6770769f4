import { useState } from "preact/hooks";
import type { ChangePerson, Person, SignInLink } from "../../../src/http/api/index.js";
import { request } from "../api/client.js";
import { useSession } from "../session/session.js";
import { Dialog } from "../ui/dialog.js";
import { dateTime, percent, seconds } from "../ui/format.js";
import { ErrorNotice } from "../ui/notice.js";
import { useAction } from "../ui/use-load.js";
import { LinkToCopy } from "./link-to-copy.js";
import { RoleBoxes } from "./roles.js";

interface Props {
  person: Person;
  onChanged: () => unknown;
}

/** One person's work in figures. */
export function PersonRow({ person, onChanged }: Props) {
  const [isOpen, setOpen] = useState(false);
  const { name, roles, active, work, lastSeenAt } = person;
  return (
    <tr>
      <th scope="row" class="person-name">
        <bdi>{name}</bdi> {!active && <span class="tag">switched off</span>}
      </th>
      <td>{roles.join(", ")}</td>
      <td class="n">{work.rankings}</td>
      <td class="n">{work.demonstrations}</td>
      <td class="n">{work.flags}</td>
      <td class="n">{work.skips}</td>
      <td class="n">{seconds(work.secondsPerRanking)}</td>
      <td class="n">
        {percent(work.goldAccuracy)}
        {work.goldPairs > 0 && <small class="soft"> of {work.goldPairs}</small>}
      </td>
      <td>{dateTime(lastSeenAt)}</td>
      <td>
        <button class="button small" type="button" onClick={() => setOpen(true)}>
          Change<span class="sr"> {name}</span>
        </button>
        {isOpen && (
          <PersonDialog person={person} onChanged={onChanged} onClose={() => setOpen(false)} />
        )}
      </td>
    </tr>
  );
}

function PersonDialog({ person, onChanged, onClose }: Props & { onClose: () => void }) {
  const { session } = useSession();
  const [roles, setRoles] = useState(person.roles);
  const [link, setLink] = useState<SignInLink | null>(null);
  const { run, error, isBusy } = useAction();
  const path = `people/${encodeURIComponent(person.personId)}`;
  const isAdmin = session.me.roles.includes("admin");
  const isMe = person.personId === session.me.personId;
  const change = (body: ChangePerson) =>
    run(async () => {
      await request<Person>("PATCH", path, body);
      onClose();
      onChanged();
    });
  return (
    <Dialog title={person.name} onClose={onClose}>
      <RoleBoxes
        roles={roles}
        mayGive={(role) =>
          isAdmin ? !(isMe && role === "admin") : ["rater", "writer"].includes(role)
        }
        onChange={setRoles}
      />
      <p class="note">Changing roles signs this person out everywhere.</p>
      <ErrorNotice error={error} />
      {link && <LinkToCopy name={person.name} link={link} />}
      <div class="actions">
        <button
          class="button primary"
          type="button"
          disabled={isBusy || roles.length === 0}
          onClick={() => void change({ roles })}
        >
          Save
        </button>
        <button
          class="button"
          type="button"
          disabled={isBusy}
          onClick={() =>
            void run(async () => setLink(await request<SignInLink>("POST", `${path}/link`)))
          }
        >
          New sign-in link
        </button>
        {!isMe && (
          <button
            class="button danger"
            type="button"
            disabled={isBusy}
            onClick={() => void change({ active: !person.active })}
          >
            {person.active ? "Switch off" : "Switch on"}
          </button>
        )}
        <button class="button quiet" type="button" onClick={onClose}>
          Close
        </button>
      </div>
    </Dialog>
  );
}
