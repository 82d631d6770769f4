import { emptyRegistry, parseRegistry, type RegistryContent } from "@stagecraft/registry";
import type { RemoteStore, StoredState } from "./remote-store.js";

/** Where the registry of a folder has its list; the prefix is empty, or `team/`. */
export const listKey = (prefix: string) => `${prefix}stagecraft-registry.json`;

/** What a list says; nothing when there is none. Throws `data_loss` for one that cannot be read. */
export function contentOf(
  store: Pick<RemoteStore, "name">,
  key: string,
  state: StoredState | undefined,
): RegistryContent {
  return state ? parseRegistry(textIn(state), `${store.name}/${key}`) : emptyRegistry();
}

/** A state as text. */
export const textIn = ({ content }: StoredState) => Buffer.from(content).toString("utf8");

/**
 * Versions of a model that the registry of its folder names, or that of a folder around it: each of them can be
 * promoted and gone back to.
 */
export async function registeredVersions(store: RemoteStore, name: string): Promise<string[]> {
  const parts = name.split("/");
  const prefixes = parts.map((_, i) => parts.slice(0, i).map((part) => `${part}/`));
  const versions: string[] = [];
  for (const key of prefixes.map((each) => listKey(each.join("")))) {
    const { models } = contentOf(store, key, await store.readState(key));
    const dirs = Object.values(models).flatMap((history) => history.versions.map(({ dir }) => dir));
    const own = dirs.filter((dir) => dir.startsWith(`${name}@`));
    versions.push(...own.map((dir) => dir.slice(name.length + 1)));
  }
  return [...new Set(versions)];
}
