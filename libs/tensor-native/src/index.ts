export type {
  NativeAddon,
  NativeArgs,
  NativeCall,
  NativeInfo,
  NativeSession,
  NativeValue,
  NativeWeightCache,
} from "./addon.js";
export { loadNative, type NativeLoad } from "./load.js";
