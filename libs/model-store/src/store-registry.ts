import { setTimeout as delay } from "node:timers/promises";
import { StagecraftError } from "@stagecraft/core";
import {
  createRegistry,
  LINEAGE_FILE,
  lineageIn,
  registryText,
  type LineageFound,
  type ModelRegistry,
  type RegistryContent,
} from "@stagecraft/registry";
import { formatModelUrl, isModelUrl, parseModelUrl, type StoreUrl } from "./model-url.js";
import { findManifest } from "./pull.js";
import { pushModel, type PushOptions } from "./push.js";
import { contentOf, listKey, textIn } from "./registry-list.js";
import type { RemoteStore } from "./remote-store.js";
import { checkComplete, filesOf, identityOf, textOf, type StoredModel } from "./stored-model.js";

export interface StoreRegistryOptions extends Pick<PushOptions, "signal" | "progress"> {
  now?: () => Date;
}

const MAX_ATTEMPTS = 20;
const RETRY_MS = 25;

/**
 * A registry in a folder of an object store: its list beside the models, `stagecraft-registry.json`, changed only
 * while it is what was read. A directory that is registered is pushed to `FOLDER/NAME` first; a model of the store
 * is registered by its URL, wherever in the bucket it is. The store stays the caller's.
 */
export function openStoreRegistry(
  store: RemoteStore,
  where: StoreUrl,
  options: StoreRegistryOptions = {},
): ModelRegistry {
  const { scheme, bucket, prefix } = where;
  const url = `${scheme}://${bucket}${bucket && prefix && "/"}${prefix.replace(/\/$/, "")}`;
  const key = listKey(prefix);
  const pathOf = (dir: string) => `${scheme}://${bucket}${bucket && "/"}${dir}`;
  const modelOf = async (dir: string): Promise<StoredModel> => {
    const { name, version } = parseModelUrl(pathOf(dir));
    return { name, manifest: await findManifest(store, name, version) };
  };
  const lineages = new Map<string, LineageFound>();
  return createRegistry(
    {
      name: url,
      read: async () => contentOf(store, key, await store.readState(key)),
      change: (change) => changeState(store, key, change),
      async take(name, from) {
        const to = { scheme, bucket, name: prefix + name };
        const model = await modelOf(await dirOf(store, from, { ...options, to }));
        return { dir: `${model.name}@${model.manifest.version}`, ...identityOf(model) };
      },
      pathOf,
      async identify(dir) {
        const model = await modelOf(dir);
        await checkComplete(store, model);
        return identityOf(model);
      },
      async lineage(dir, sha256) {
        const known = lineages.get(dir); // a version never changes
        if (known) return known;
        try {
          const found = lineageIn(await textOf(store, await modelOf(dir), LINEAGE_FILE), sha256);
          lineages.set(dir, found);
          return found;
        } catch (thrown) {
          return unknownLineage(thrown);
        }
      },
      files: async (dir) => filesOf(store, await modelOf(dir)),
    },
    options,
  );
}

/** Of a version that the store has lost, as of a directory that is gone. Throws when the store is away. */
function unknownLineage(thrown: unknown): LineageFound {
  const { code, reason } = StagecraftError.from(thrown);
  if (code === "not_found" || code === "data_loss") return { reason, isOfOthers: false };
  throw thrown;
}

/** Again from what is there now, when somebody else was faster. */
async function changeState<T>(
  store: RemoteStore,
  key: string,
  change: (content: RegistryContent) => T,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const before = await store.readState(key);
    const content = contentOf(store, key, before);
    const result = change(content);
    const text = registryText(content);
    try {
      await store.writeState(key, Buffer.from(text), before);
      return result;
    } catch (thrown) {
      const { code } = StagecraftError.from(thrown);
      if (code !== "aborted" || attempt === MAX_ATTEMPTS) throw thrown;
      // A request that is repeated since its answer was lost meets what it has written itself.
      const now = await store.readState(key);
      if (now && textIn(now) === text) return result;
      await delay(RETRY_MS * attempt * Math.random());
    }
  }
}

interface Taking extends Pick<PushOptions, "signal" | "progress"> {
  to: { scheme: StoreUrl["scheme"]; bucket: string; name: string };
}

/** `NAME@VERSION` in this store of what is to be registered. */
async function dirOf(
  store: RemoteStore,
  from: string,
  { to, signal, progress }: Taking,
): Promise<string> {
  if (!isModelUrl(from)) {
    const { version } = await pushModel(store, from, { name: to.name, signal, progress });
    return `${to.name}@${version}`;
  }
  const { scheme, bucket, name, version } = parseModelUrl(from);
  if (scheme === to.scheme && bucket === to.bucket) {
    return version === undefined ? name : `${name}@${version}`;
  }
  throw new StagecraftError(
    "invalid_argument",
    `${from} is in another store than the registry (${formatModelUrl(to)}): pull it into a directory, and register that`,
  );
}
