import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { readSignInLink } from "./sign-in-link.js";

it("finds the newest link in a gateway's log, past lines that are cut or say other things", async () => {
  const dir = await mkdtemp(join(tmpdir(), "stagecraft-link-"));
  const file = join(dir, "gateway.log");
  const said = (link: string) => JSON.stringify({ level: 30, link, msg: "sign in" });
  await writeFile(
    file,
    [said("http://a/#1"), "(node) warning", said("http://a/#2"), '{"link'].join("\n"),
  );
  expect(await readSignInLink(file)).toBe("http://a/#2");
  expect(await readSignInLink(join(dir, "none"))).toBeUndefined();
  await rm(dir, { recursive: true });
});
