import type { NativeBackend } from "./backend.js";

let current: NativeBackend | undefined;

/** The native backend of this thread, when it is the running engine. */
export function nativeBackend(): NativeBackend | undefined {
  return current;
}

export function setNativeBackend(backend: NativeBackend): void {
  current = backend;
}
