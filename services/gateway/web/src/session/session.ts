import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Session } from "../../../src/http/api/index.js";
import type { Page } from "../page.js";

/** Who is signed in, and how to leave. */
export interface SessionHandle {
  session: Session;
  /** The pages that this person may see. */
  pages: readonly Page[];
  signOut: () => Promise<void>;
}

export const SessionContext = createContext<SessionHandle | undefined>(undefined);

/** The session of a page that only people who are signed in see. */
export function useSession(): SessionHandle {
  const handle = useContext(SessionContext);
  if (!handle) throw new Error("no session: this page is shown to people who are signed in");
  return handle;
}

/** Whether somebody looks after queue, people and loop. */
export function isOperator({ me }: Session): boolean {
  return me.roles.includes("operator") || me.roles.includes("admin");
}
