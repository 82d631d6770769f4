import { StagecraftError } from "@stagecraft/core";
import { describe, expect, it } from "vitest";
import { createCancelling } from "./cancellation.js";

const hungUp = new StagecraftError("cancelled", "hung up");

describe("createCancelling()", () => {
  it("tells listeners once, with the first reason", () => {
    const call = createCancelling();
    const heard: string[] = [];
    call.onCancelled(({ reason }) => heard.push(reason));
    const stop = call.onCancelled(() => heard.push("stopped"));
    stop();
    expect(() => call.throwIfCancelled()).not.toThrow();
    call.cancel(hungUp);
    call.cancel(new StagecraftError("cancelled", "again"));
    expect(heard).toEqual(["hung up"]);
    expect(call.reason).toBe(hungUp);
    expect(() => call.throwIfCancelled()).toThrow("hung up");
  });

  it("has a signal that agrees, whether asked for before or after", () => {
    const early = createCancelling();
    const { signal } = early;
    expect(signal.aborted).toBe(false);
    early.cancel(hungUp);
    expect(signal.reason).toBe(hungUp);
    const late = createCancelling();
    late.cancel(hungUp);
    expect(late.signal.aborted).toBe(true);
    expect(late.signal.reason).toBe(hungUp);
    expect(late.signal).toBe(late.signal);
  });
});
