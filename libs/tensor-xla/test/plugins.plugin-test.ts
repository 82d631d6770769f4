import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openPjrt } from "@stagecraft/tensor-xla";
import { afterAll, describe, expect, it } from "vitest";
import { openTestPlugin } from "./programs.js";

const dir = mkdtempSync(join(tmpdir(), "stagecraft-plugins-"));
afterAll(() => rmSync(dir, { recursive: true }));

/** The start of PJRT's table of functions, which no release has changed. */
const TABLE = `#include <stddef.h>
struct table { size_t size; void* extension; size_t version_size; void* version_extension; int major, minor; void* functions[200]; };
`;

function compile(name: string, code: string): string {
  const [source, library] = [join(dir, `${name}.c`), join(dir, `${name}.so`)];
  writeFileSync(source, code);
  execFileSync("cc", ["-shared", "-fPIC", "-o", library, source]);
  return library;
}

const plugin = (name: string, table: string): string =>
  compile(
    name,
    `${TABLE}static struct table api = ${table};\nvoid* GetPjrtApi(void) { return &api; }`,
  );

describe("openPjrt() refuses by name, and says what to do,", () => {
  it("a file that is no library", () => {
    const file = join(dir, "text.so");
    writeFileSync(file, "text");
    expect(() => openPjrt(file)).toThrow(
      /\[failed_precondition\] .*text\.so: .*: the plugin does not load\. .*pip install "jax-cuda13-plugin/,
    );
  });

  it("a library whose own libraries are missing", () => {
    compile("needed", "int needed(void) { return 1; }");
    const [source, library] = [join(dir, "needs.c"), join(dir, "needs.so")];
    writeFileSync(source, "int needed(void); int f(void) { return needed(); }");
    execFileSync("cc", ["-shared", "-fPIC", "-o", library, source, join(dir, "needed.so")]);
    rmSync(join(dir, "needed.so"));
    expect(() => openPjrt(library)).toThrow(/needed\.so: cannot open .*the plugin does not load/);
  });

  it("a library that is no plugin", () => {
    const file = compile("other", "int x;");
    expect(() => openPjrt(file)).toThrow(
      `[invalid_argument] ${file} exports no GetPjrtApi: this is no PJRT plugin`,
    );
  });

  it("a plugin of a newer major version", () => {
    const file = plugin("newer", "{ sizeof(struct table), NULL, 24, NULL, 7, 3 }");
    expect(() => openPjrt(file)).toThrow(
      /\[failed_precondition\] .*newer\.so speaks PJRT 7\.3, this addon was compiled for PJRT 0\.\d+: the plugin is too new for an addon of PJRT 0\.\d+\. .*npm run setup -- --xla/,
    );
  });

  it("a plugin whose table ends before what is needed", () => {
    const file = plugin(
      "older",
      "{ 40 + 3 * sizeof(void*), NULL, 24, NULL, 0, 4, { &api, &api, &api } }",
    );
    expect(() => openPjrt(file)).toThrow(
      /older\.so speaks PJRT 0\.4 and has no PJRT_Plugin_Initialize: the plugin is too old\. .*--upgrade/,
    );
  });

  it("a plugin without a version, and one without a table", () => {
    const file = plugin("oldest", "{ 16 }");
    expect(() => openPjrt(file)).toThrow(/has no version of the PJRT API .*too old/);
    const none = compile("none", "void* GetPjrtApi(void) { return 0; }");
    expect(() => openPjrt(none)).toThrow(/has no version of the PJRT API/);
  });

  it("by its own name a plugin that is given by a link, so that its libraries are found beside it", () => {
    const file = plugin("linked", "{ sizeof(struct table), NULL, 24, NULL, 7, 3 }");
    const link = join(dir, "link.so");
    symlinkSync(file, link);
    expect(() => openPjrt(link)).toThrow(`${file} speaks PJRT 7.3`);
  });

  it("options that a plugin does not know", () => {
    expect(() => openTestPlugin({ createOptions: { cpu_device_counts: 2 } })).toThrow(
      "[invalid_argument] cannot open the PJRT plugin: unknown option, or one of another type: cpu_device_counts",
    );
  });

  it("compiler options that XLA does not know", () => {
    const client = openTestPlugin({ compilerOptions: { xla_no_such_option: true } });
    const text =
      "module @m { func.func public @main(%x: tensor<f32>) -> tensor<f32> { return %x : tensor<f32> } }";
    expect(() => client.compile(text)).toThrow("xla_no_such_option");
    client.close();
  });
});
