import { expect, it } from "vitest";
import { filtersOf } from "./filters.mjs";

const cases: [args: string[], filters: string[]][] = [
  [[], []],
  [["-t", "a name"], []],
  [["--bail", "1", "--reporter=dot"], []],
  [
    ["-t", "a name", "libs/tensor", "--retry=2", "attention"],
    ["libs/tensor", "attention"],
  ],
];
for (const [args, filters] of cases) {
  it(`filtersOf() finds ${filters.length} names of files in \`${args.join(" ")}\``, async () => {
    expect(await filtersOf(args)).toEqual(filters);
  });
}
