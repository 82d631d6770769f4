import { describe, expect, it } from "vitest";
import { findPython, requireCompiler } from "./requirements.mjs";

describe("findPython()", () => {
  it("says what to install when there is none", () => {
    expect(() => findPython(["no-such-python"])).toThrow(/no Python 3 here.*apt install python3/);
  });

  it("says when there is one without pip", () => {
    expect(() => findPython([process.execPath])).toThrow(/has no pip .*apt install python3-pip/);
  });
});

describe("requireCompiler()", () => {
  it("names what is missing", () => {
    expect(() => requireCompiler([process.execPath, "no-such-g++"])).toThrow(
      /no-such-g\+\+ is missing .*apt install g\+\+ make/,
    );
    expect(() => requireCompiler([process.execPath])).not.toThrow();
  });
});
