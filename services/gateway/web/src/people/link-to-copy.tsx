import type { SignInLink } from "../../../src/http/api/index.js";
import { dateTime } from "../ui/format.js";
import { OnceToCopy } from "../ui/once-to-copy.js";

/** A sign-in link, shown once. */
export function LinkToCopy({
  name,
  link: { link, expiresAt },
}: {
  name: string;
  link: SignInLink;
}) {
  return (
    <OnceToCopy label="Sign-in link" action="Copy the link" value={link}>
      The link for <bdi>{name}</bdi>. It works once, until {dateTime(expiresAt)}, and is not shown
      again.
    </OnceToCopy>
  );
}
