import type { LoopStatus } from "../../src/http/api/index.js";
import { PasswordForm } from "./session/password-form.js";
import { useSession } from "./session/session.js";
import { ErrorNotice } from "./ui/notice.js";
import { useLoad } from "./ui/use-load.js";

/** Start: what this person can do here, and where the assistant stands. */
export function HomePage() {
  const { session, pages } = useSession();
  const loop = useLoad<LoopStatus>("loop");
  return (
    <>
      <h1 tabIndex={-1}>
        Hello <bdi>{session.me.name}</bdi>
      </h1>
      <p class="lead">
        This assistant is taught by people. What you rank and write here decides how it answers.
      </p>
      <ErrorNotice error={loop.error} retry={loop.reload} />
      {loop.data && loop.data.state !== "off" && <p>{loop.data.text}</p>}
      <ul class="tiles">
        {pages.slice(1).map(({ path, title, purpose }) => (
          <li class="tile" key={path}>
            <h2>
              <a href={path}>{title}</a>
            </h2>
            <p>{purpose}</p>
          </li>
        ))}
      </ul>
      <PasswordForm />
    </>
  );
}
