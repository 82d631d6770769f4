import { describe, expect, it } from "vitest";
import { isLoopbackHost, isLoopbackTarget, targetOf } from "./address.js";

describe("targetOf()", () => {
  for (const [address, target] of [
    ["127.0.0.1:5001", "ipv4:127.0.0.1:5001"],
    ["policy.run.svc:5001", "name:///policy.run.svc:5001"],
    ["127.0.0.1:1, 127.0.0.1:2", "ipv4:127.0.0.1:1,127.0.0.1:2"],
    ["[::1]:1,[::1]:2", "ipv6:[::1]:1,[::1]:2"],
    ["dns:///policy:1", "dns:///policy:1"],
    ["unix:/tmp/a.sock", "unix:/tmp/a.sock"],
  ] as const) {
    it(`reads ${address}`, () => expect(targetOf(address)).toBe(target));
  }
  for (const bad of ["", "policy", "policy:", ":5001", "http://policy:1", "a:1,b:2", "::1:5"]) {
    it(`refuses "${bad}"`, () => expect(() => targetOf(bad)).toThrow("[invalid_argument]"));
  }
});

describe("isLoopbackTarget()", () => {
  it("is true only when every address is on this machine", () => {
    const local = [
      "ipv4:127.0.0.1:1",
      "dns:///localhost:1",
      "name:///localhost:1",
      "ipv6:[::1]:1,[::1]:2",
      "unix:/a",
    ];
    for (const target of local) expect(isLoopbackTarget(target)).toBe(true);
    for (const target of [
      "ipv4:127.0.0.1:1,10.0.0.1:1",
      "dns:///127.0.0.1.evil.org:1",
      "dns:a:1",
      "name:///a:1",
    ]) {
      expect(isLoopbackTarget(target)).toBe(false);
    }
  });
  it("does not take a name for an address", () => {
    for (const host of ["127.0.0.1.org", "1270.0.0.1", "localhost.org", "0.0.0.0", "::"]) {
      expect(isLoopbackHost(host)).toBe(false);
    }
  });
});
