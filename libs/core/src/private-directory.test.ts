import { chmod, mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { privateDirectoryProblem } from "./private-directory.js";

it("a folder that others can write, or that leads elsewhere, is none of one's own", async () => {
  const root = await mkdtemp(join(tmpdir(), "stagecraft-private-"));
  try {
    expect(privateDirectoryProblem(join(root, "new", "folder"))).toBeUndefined();
    await mkdir(join(root, "open"));
    await chmod(join(root, "open"), 0o777);
    expect(privateDirectoryProblem(join(root, "open"))).toBe("can be written by others");
    await symlink(join(root, "new"), join(root, "link"));
    expect(privateDirectoryProblem(join(root, "link"))).toBe("is no directory");
  } finally {
    await rm(root, { recursive: true });
  }
});
