/** What a person may do: rank, write and break; look after queue, people and loop; everything. */
export type PersonRole = "rater" | "writer" | "operator" | "admin";

export interface Me {
  personId: string;
  name: string;
  roles: PersonRole[];
  hasPassword: boolean;
}

/** `GET /api/session`: who is signed in; `unauthenticated` if nobody. */
export interface Session {
  me: Me;
  /** For the header `x-csrf-token`. */
  csrfToken: string;
  /** Which pages there are for this person. */
  pages: {
    rank: boolean;
    write: boolean;
    breakIt: boolean;
    chat: boolean;
    people: boolean;
    models: boolean;
    operator: boolean;
    runs: boolean;
  };
}

/** `GET /api/sign-in`: how one may sign in beside links and passwords, whoever asks. */
export interface SignInWays {
  /** Name of the provider that `GET /api/session/oidc` leads to; null = there is none. */
  provider: string | null;
}

/**
 * `POST /api/session`: signs in with the token of a link. A link is `/sign-in#TOKEN`: what is behind the
 * `#` reaches no server and no log; the page sends it here. Each works once and expires. Sets an HttpOnly,
 * SameSite=Strict cookie. Answers `Session`; `unauthenticated` for a link that is used, expired or wrong.
 * No CSRF token is asked for.
 */
export interface SignInByLink {
  token: string;
}

/** `POST /api/session/password`: signs in a person who has set a password. Answers `Session`. */
export interface SignInByPassword {
  name: string;
  password: string;
}

/** `PUT /api/session/password`: sets one's own password, 12 to 256 characters. Answers `Session`. */
export interface SetPassword {
  password: string;
}

/** `DELETE /api/session`: signs out. */
export interface SignedOut {
  ok: true;
}
