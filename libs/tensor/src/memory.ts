import { nativeBackend } from "./native/current.js";

/**
 * Gives memory that waits for reuse to the system: for the end of a phase, when another part of the
 * process works next. What comes after pays a few milliseconds per 100 MB that it takes back.
 */
export function releaseIdleMemory(): void {
  nativeBackend()?.dropIdle();
}
