import { setFlagsFromString } from "node:v8";

/**
 * V8 optimises a function after 3,000 calls or so. The code of a request is spread over hundreds of functions
 * that it calls once each, so a server would answer its first thousands of requests with code that is not
 * optimised: a third more processor time, taken from the engine's threads. V8 12 counts calls, V8 11 bytecode.
 */
const FLAG =
  Number.parseInt(process.versions.v8) >= 12
    ? "--invocation-count-for-turbofan=450"
    : "--interrupt-budget=10000"; // of 67,584

/** Has V8 optimise what is called from now on about seven times as soon. For processes that answer requests. */
export function optimizeSooner(): void {
  setFlagsFromString(FLAG);
}
