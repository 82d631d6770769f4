// Which content a tag of an image has now, asked of its registry (OCI distribution API).

const TIMEOUT_MS = 20_000;
const MANIFESTS = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
].join(", ");

/**
 * What the registry has under the tag, an index of all platforms where there is one.
 * @param {string} image such as docker.io/library/node:22-bookworm
 * @param {typeof fetch} fetcher
 * @returns {Promise<string>}
 */
export async function digestOf(image, fetcher = fetch) {
  const [, host = "", repository = "", tag = ""] = /^([^/]+)\/(.+):([^:]+)$/.exec(image) ?? [];
  const registry = host === "docker.io" ? "registry-1.docker.io" : host;
  const url = `https://${registry}/v2/${repository}/manifests/${tag}`;
  let response = await ask(fetcher, url);
  const challenge = response.headers.get("www-authenticate");
  if (response.status === 401 && challenge)
    response = await ask(fetcher, url, await token(fetcher, challenge));
  const digest = response.headers.get("docker-content-digest");
  if (response.ok && digest && /^sha256:[0-9a-f]{64}$/.test(digest)) return digest;
  throw new Error(`${registry} answered ${response.status} without a digest`);
}

/**
 * @param {typeof fetch} fetcher
 * @param {string} url
 * @param {string} [bearer]
 */
function ask(fetcher, url, bearer) {
  const headers = { accept: MANIFESTS, ...(bearer && { authorization: `Bearer ${bearer}` }) };
  return fetcher(url, { method: "HEAD", headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
}

/**
 * A token for reading, as the registry's challenge says where to get one.
 * @param {typeof fetch} fetcher
 * @param {string} challenge
 */
async function token(fetcher, challenge) {
  const facts = Object.fromEntries(
    [...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]),
  );
  const url = new URL(facts["realm"]);
  for (const name of ["service", "scope"]) {
    if (facts[name]) url.searchParams.set(name, facts[name]);
  }
  const response = await fetcher(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  /** @type {{ token?: string, access_token?: string }} */
  const answer = Object(await response.json());
  return answer.token ?? answer.access_token;
}
