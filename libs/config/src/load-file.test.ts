import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { yamlText } from "./load-file.js";

describe("yamlText()", () => {
  const value = {
    ...{ name: "off", args: ["yes", "y", "no"], start: "12:30:45", old: "0o17", older: "017" },
    ...{ on: "a key", text: "plain", number: 3, flag: true },
  };

  it.each(["1.1", "1.2"] as const)("is read by YAML %s as what was written", (version) => {
    expect(parse(yamlText(value), { version })).toEqual(value);
  });
});
