/** Somebody who is signed in at a gateway's pages and uses their JSON API, as the pages do. */
export interface PagesClient {
  readonly origin: string;
  readonly personId: string;
  readonly name: string;
  /** The session's cookie and token, to use them in another way. */
  readonly cookie: string;
  readonly csrfToken: string;
  /** Sends a request; rejects only when no answer came. */
  call<T = Record<string, unknown>>(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ status: number; body: T }>;
  /** The body of an answer with status 200; throws for any other, saying what came. */
  ok<T = Record<string, unknown>>(method: string, path: string, body?: unknown): Promise<T>;
}

interface Session {
  me: { personId: string; name: string };
  csrfToken: string;
}

/** Signs in by a link such as `http://127.0.0.1:8080/sign-in#TOKEN`. */
export async function signInByLink(link: string): Promise<PagesClient> {
  const { origin, hash } = new URL(link);
  const response = await fetch(`${origin}/api/session`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ token: hash.slice(1) }),
  });
  const session = (await response.json()) as Session;
  if (response.status !== 200) throw new Error(`signing in: ${JSON.stringify(session)}`);
  const cookie = response.headers.getSetCookie()[0]!.split(";")[0]!;
  return clientOf(origin, cookie, session);
}

function clientOf(origin: string, cookie: string, { me, csrfToken }: Session): PagesClient {
  const call = async <T>(method: string, path: string, body?: unknown) => {
    const response = await fetch(`${origin}${path}`, {
      method,
      headers: {
        cookie,
        "x-csrf-token": csrfToken,
        ...(body !== undefined && { "content-type": "application/json" }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = /\/json/.test(response.headers.get("content-type") ?? "");
    return { status: response.status, body: (isJson ? JSON.parse(text) : text) as T };
  };
  return {
    ...{ origin, cookie, csrfToken, call },
    ...{ personId: me.personId, name: me.name },
    async ok<T>(method: string, path: string, body?: unknown) {
      const answer = await call<T>(method, path, body);
      if (answer.status === 200) return answer.body;
      throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    },
  };
}
