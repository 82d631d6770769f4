export type { NativeAddon, NativeSession, NativeWeightCache } from "./addon.js";
export { loadNative, type NativeLoad } from "./load.js";
