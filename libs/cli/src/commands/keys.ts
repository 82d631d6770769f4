import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "commander";
import {
  createKeyPair,
  readSigner,
  readVerifier,
  signDirectory,
  verifyDirectory,
} from "@stagecraft/checkpoint";
import { StagecraftError } from "@stagecraft/core";
import type { CommandScope } from "../app/command.js";
import { examplesText } from "./stage-command.js";

const EXAMPLES = [
  "npx stagecraft keys create keys/trainer",
  "npx stagecraft keys sign runs/sft/model --key keys/trainer/private.pem",
  "npx stagecraft keys verify runs/sft/model --key keys/trainer/public.pem",
];

/** `stagecraft keys`: sign model directories, check who signed them. */
export function keysCommand(command: Command, { io }: CommandScope): void {
  const say = (text: string) => void io.out.write(`${text}\n`);
  command
    .command("create")
    .description(
      "a new pair of Ed25519 keys: private.pem for the trainer, public.pem for the servers",
    )
    .argument("<dir>", "folder of the pair; keys that are there already stay")
    .action(async (dir: string) => {
      await mkdir(dir, { recursive: true });
      const { privateKey, publicKey } = createKeyPair();
      await writeNew(join(dir, "private.pem"), privateKey, 0o600);
      await writeNew(join(dir, "public.pem"), publicKey, 0o644);
      say(`${dir}: keep private.pem to the trainer; give public.pem to policy and reward model`);
    });
  command
    .command("sign")
    .description("sign a model directory as it is now")
    .argument("<model>", "model directory")
    .requiredOption("--key <file>", "private key, PEM")
    .action(async (model: string, { key }: { key: string }) => {
      const signer = (await readSigner(key))!;
      await signDirectory(model, signer);
      say(`${model} is signed by key ${signer.keyId}`);
    });
  command
    .command("verify")
    .description("check that a model directory is what a key has signed")
    .argument("<model>", "model directory")
    .requiredOption("--key <files...>", "public keys, PEM")
    .action(async (model: string, { key }: { key: string[] }) => {
      await verifyDirectory(model, (await readVerifier(key))!);
      say(`${model} is as it was signed`);
    });
  command.addHelpText("after", examplesText(EXAMPLES));
}

async function writeNew(file: string, content: string, mode: number): Promise<void> {
  try {
    await writeFile(file, content, { mode, flag: "wx" });
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== "EEXIST") throw StagecraftError.from(thrown);
    throw new StagecraftError("already_exists", `${file} is there already; choose another folder`);
  }
}
