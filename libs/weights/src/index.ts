export { weightAnnouncements, WEIGHTS_KEY } from "./announcements.js";
export { openWeightStore } from "./directory-store.js";
export { fetchInThread, type ThreadedWeightStore } from "./fetch-in-thread.js";
export {
  followWeights,
  type WeightFollower,
  type WeightFollowerOptions,
  type WeightUser,
} from "./follow.js";
export { createMemoryWeightStore } from "./memory-store.js";
export { createObjectWeightStore, type ObjectBucket } from "./object-store.js";
export { OBJECT_STORE_LOCATION, openWeightStoreAt } from "./open-store.js";
export {
  openWeightPublisher,
  type BusWeightPublisher,
  type PublisherOptions,
  type StoredVersion,
} from "./publish.js";
export { WEIGHTS_DTYPES, type WeightsDtype } from "./weights-dtype.js";
export type { WeightKeys, WeightManifest, WeightStore } from "./weight-store.js";
