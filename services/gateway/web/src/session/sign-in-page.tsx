import { useEffect, useState } from "preact/hooks";
import type { Session, SignInWays } from "../../../src/http/api/index.js";
import { ApiError, request } from "../api/client.js";
import { navigate } from "../router.js";
import { Field } from "../ui/field.js";
import { ErrorNotice, Loading } from "../ui/notice.js";
import { useAction, useLoad } from "../ui/use-load.js";

/** Takes the token out of the address, so that it stays in no history and is not used twice. */
function takeToken(): string {
  const token = decodeURIComponent(location.hash.slice(1));
  if (token) history.replaceState(null, "", location.pathname);
  return token;
}

/** Signs in by the link that somebody was given, or by name and password. */
export function SignInPage({ onSignedIn }: { onSignedIn: (session: Session) => void }) {
  const [token] = useState(takeToken);
  const link = useAction();
  const ways = useLoad<SignInWays>("sign-in");
  const provider = ways.data?.provider;
  const enter = (session: Session) => {
    onSignedIn(session);
    navigate(location.pathname === "/sign-in" ? "/" : location.pathname, { replace: true });
  };
  useEffect(() => {
    if (!token) return;
    void link.run(async () => enter(await request<Session>("POST", "session", { token })));
  }, [token]);
  if (token && !link.error) return <Loading />;
  return (
    <>
      <h1 tabIndex={-1}>Sign in</h1>
      <p class="lead">Open the link that you were given. Each link works once.</p>
      <ErrorNotice error={link.error ?? problemOf(location.search)} />
      {provider && (
        <p>
          <a class="button primary" href="/api/session/oidc">
            Sign in at <bdi>{provider}</bdi>
          </a>
        </p>
      )}
      <p>
        No link, or one that no longer works? Ask the person who invited you: the page People makes
        new ones. If you run Stagecraft yourself, start <code>npx stagecraft studio</code> again; it
        prints a fresh link.
      </p>
      <NamePasswordForm onSignedIn={enter} />
    </>
  );
}

/** Why somebody has come back from the provider without being signed in. */
function problemOf(search: string): ApiError | undefined {
  const problem = new URLSearchParams(search).get("problem");
  if (problem === "stranger") {
    const advice = "Ask an operator to invite you under your e-mail address, or for a role.";
    return new ApiError("permission_denied", "You are known there, but have no part here.", advice);
  }
  if (problem !== "provider") return undefined;
  const message = "Signing in at the provider did not work.";
  return new ApiError("unauthenticated", message, "Try again; the gateway’s log says why.");
}

function NamePasswordForm({ onSignedIn }: { onSignedIn: (session: Session) => void }) {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const { run, error, isBusy } = useAction();
  const submit = (event: Event) => {
    event.preventDefault();
    void run(async () =>
      onSignedIn(await request<Session>("POST", "session/password", { name, password })),
    );
  };
  return (
    <details open={error !== undefined}>
      <summary>I have set a password</summary>
      <form onSubmit={submit}>
        <Field label="Name">
          <input
            autocomplete="username"
            required
            value={name}
            onInput={(event) => setName(event.currentTarget.value)}
          />
        </Field>
        <Field label="Password">
          <input
            type="password"
            autocomplete="current-password"
            required
            value={password}
            onInput={(event) => setPassword(event.currentTarget.value)}
          />
        </Field>
        <ErrorNotice error={error} />
        <button class="button primary" disabled={isBusy}>
          Sign in
        </button>
      </form>
    </details>
  );
}
