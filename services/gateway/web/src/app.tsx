import { useEffect, useMemo, useState } from "preact/hooks";
import type { Session } from "../../src/http/api/index.js";
import { ApiError, request, setCsrfToken, whenSignedOut } from "./api/client.js";
import type { Page } from "./page.js";
import { pagesOf } from "./pages.js";
import { followLinks, usePath } from "./router.js";
import { SessionContext, type SessionHandle } from "./session/session.js";
import { SignInPage } from "./session/sign-in-page.js";
import { NavigationBar } from "./ui/navigation-bar.js";
import { EmptyState, ErrorNotice, Loading } from "./ui/notice.js";

/** Asks who is signed in, then shows that person's pages. */
export function App() {
  const [session, setSession] = useState<Session | null | undefined>();
  const [error, setError] = useState<ApiError | undefined>();
  const enter = (entered: Session) => {
    setCsrfToken(entered.csrfToken);
    setSession(entered);
  };
  const load = async () => {
    setError(undefined);
    if (location.pathname === "/sign-in" && location.hash) return setSession(null); // a fresh link
    try {
      enter(await request<Session>("GET", "session"));
    } catch (thrown) {
      const failure = ApiError.from(thrown);
      if (failure.code === "unauthenticated") setSession(null);
      else setError(failure);
    }
  };
  useEffect(() => {
    whenSignedOut(() => setSession(null));
    void load();
  }, []);
  if (error) return <Bare>{<ErrorNotice error={error} retry={load} />}</Bare>;
  if (session === undefined) return <Bare>{<Loading />}</Bare>;
  if (session === null) return <Bare>{<SignInPage onSignedIn={enter} />}</Bare>;
  return <SignedIn session={session} onSignedOut={() => setSession(null)} />;
}

/** The frame of what is shown before somebody is signed in. */
function Bare({ children }: { children: preact.ComponentChildren }) {
  return (
    <>
      <NavigationBar pages={[]} path="" />
      <main id="main" tabIndex={-1}>
        {children}
      </main>
    </>
  );
}

function SignedIn({ session, onSignedOut }: { session: Session; onSignedOut: () => void }) {
  const path = usePath();
  const pages = useMemo(() => pagesOf(session), [session]);
  const page = pages.find((candidate) => candidate.path === path);
  const handle = useMemo<SessionHandle>(
    () => ({
      ...{ session, pages },
      signOut: async () => {
        await request("DELETE", "session");
        onSignedOut();
      },
    }),
    [session],
  );
  useEffect(() => {
    document.title = page ? `${page.title} · Stagecraft` : "Stagecraft";
  }, [page]);
  return (
    <SessionContext.Provider value={handle}>
      <div onClick={followLinks}>
        <NavigationBar pages={pages} path={path} />
        <main id="main" tabIndex={-1}>
          {page ? <Shown page={page} key={page.path} /> : <NoSuchPage />}
        </main>
      </div>
    </SessionContext.Provider>
  );
}

/** Moves the focus to the heading of a page that somebody has just gone to. */
function Shown({ page }: { page: Page }) {
  useEffect(() => {
    if (document.activeElement?.closest("nav")) document.querySelector("h1")?.focus();
    window.scrollTo(0, 0);
  }, []);
  return <page.View />;
}

function NoSuchPage() {
  return (
    <>
      <h1 tabIndex={-1}>Nothing here</h1>
      <EmptyState title="This page is not there, or not for you">
        <p>Ask whoever invited you if you should see it.</p>
        <div class="actions">
          <a class="button primary" href="/">
            Go to the start
          </a>
        </div>
      </EmptyState>
    </>
  );
}
