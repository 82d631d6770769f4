import type { PersonRole } from "../../../src/http/api/index.js";

/** What each role may do, in plain words. */
export const ROLES: readonly (readonly [PersonRole, string])[] = [
  ["rater", "rank answers"],
  ["writer", "write examples and try to break it"],
  ["operator", "look after queue, people and rounds"],
  ["admin", "everything"],
];

/** Which roles somebody has, as boxes to tick. */
export function RoleBoxes({
  roles,
  mayGive,
  onChange,
}: {
  roles: readonly PersonRole[];
  mayGive: (role: PersonRole) => boolean;
  onChange: (roles: PersonRole[]) => void;
}) {
  const toggle = (role: PersonRole) =>
    onChange(roles.includes(role) ? roles.filter((old) => old !== role) : [...roles, role]);
  return (
    <fieldset>
      <legend>May</legend>
      <div class="row">
        {ROLES.filter(([role]) => mayGive(role) || roles.includes(role)).map(([role, text]) => (
          <label class="choice" key={role}>
            <input
              type="checkbox"
              checked={roles.includes(role)}
              disabled={!mayGive(role)}
              onChange={() => toggle(role)}
            />
            {text}
          </label>
        ))}
      </div>
    </fieldset>
  );
}
