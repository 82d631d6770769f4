import { useContext, useLayoutEffect, useRef } from "preact/hooks";
import type { Page } from "../page.js";
import { SessionContext } from "../session/session.js";
import { useAction } from "./use-load.js";

/** The name of the place, this person's pages, and who is signed in. */
export function NavigationBar({ pages, path }: { pages: readonly Page[]; path: string }) {
  const handle = useContext(SessionContext);
  const { run } = useAction();
  const nav = useRef<HTMLElement>(null);
  useLayoutEffect(() => {
    if (nav.current) scrollToCurrent(nav.current);
  }, [path, pages.length]);
  return (
    <header class="bar">
      <a class="skip-link" href="#main">
        Go to the content
      </a>
      <div class="bar-inner">
        <a class="brand" href="/">
          Stagecraft
        </a>
        {pages.length > 0 && (
          <nav aria-label="Pages" ref={nav}>
            <ul>
              {pages.map((page) => (
                <li key={page.path}>
                  <a href={page.path} {...(page.path === path ? { "aria-current": "page" } : {})}>
                    {page.title}
                  </a>
                </li>
              ))}
            </ul>
          </nav>
        )}
        {handle && (
          <div class="who">
            <bdi title={handle.session.me.name}>{handle.session.me.name}</bdi>
            <button
              class="button small quiet"
              type="button"
              onClick={() => void run(handle.signOut)}
            >
              Sign out
            </button>
          </div>
        )}
      </div>
    </header>
  );
}

/** On a phone the row of pages is wider than the screen: the page one is on is to be seen. */
function scrollToCurrent(nav: HTMLElement): void {
  const current = nav.querySelector('[aria-current="page"]');
  if (current === null) return;
  nav.scrollBy({ left: middleOf(current) - middleOf(nav) });
}

function middleOf(element: Element): number {
  const { left, width } = element.getBoundingClientRect();
  return left + width / 2;
}
