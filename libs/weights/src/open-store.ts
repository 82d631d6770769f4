import { openWeightStore } from "./directory-store.js";
import { createObjectWeightStore, type ObjectBucket } from "./object-store.js";
import type { WeightKeys, WeightStore } from "./weight-store.js";

/** What stands for the object store where a weight store's directory is asked for. */
export const OBJECT_STORE_LOCATION = "nats:";

/** The store that a setting names: a directory, or the bus's objects for `nats:`. */
export async function openWeightStoreAt(
  location: string,
  openObjects: () => Promise<ObjectBucket>,
  keys: WeightKeys = {},
): Promise<WeightStore> {
  if (location !== OBJECT_STORE_LOCATION) return openWeightStore(location, keys);
  return createObjectWeightStore(await openObjects(), keys);
}
