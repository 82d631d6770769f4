/**
 * The entries of the addon and their fields, as src/addon.ts and its callers expect them. Raise it together
 * with ABI in native/addon.cc when one of them changes: an addon compiled before is refused then.
 */
export const ABI = 3;
