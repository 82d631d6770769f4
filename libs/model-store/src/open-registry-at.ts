import { openRegistry, type ModelRegistry } from "@stagecraft/registry";
import { isModelUrl, parseStoreUrl } from "./model-url.js";
import { openModelStore, type ConnectionSettings } from "./open-store.js";
import { openStoreRegistry, type StoreRegistryOptions } from "./store-registry.js";

/** The registry at `s3://BUCKET/FOLDER` or `nats://FOLDER`, or that of a file. */
export async function openRegistryAt(
  place: string,
  settings: () => ConnectionSettings | Promise<ConnectionSettings>,
  options: StoreRegistryOptions = {},
): Promise<ModelRegistry & AsyncDisposable> {
  if (!isModelUrl(place)) {
    return { ...openRegistry(place, options), [Symbol.asyncDispose]: () => Promise.resolve() };
  }
  const url = parseStoreUrl(place);
  const store = await openModelStore(url, await settings());
  const close = () => store[Symbol.asyncDispose]();
  return { ...openStoreRegistry(store, url, options), [Symbol.asyncDispose]: close };
}
