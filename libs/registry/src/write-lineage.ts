import { join } from "node:path";
import { atomicWriteFile } from "@stagecraft/checkpoint";
import { CARD_FILE, LINEAGE_FILE, type Lineage } from "./lineage.js";
import { modelCard } from "./model-card.js";
import { identifyModel } from "./weights-hash.js";

/**
 * Writes lineage.json and the model card beside a model's weights, which stay as they are. `guard` throws
 * when this process may no longer write there.
 */
export async function writeLineage(
  directory: string,
  about: Omit<Lineage, "formatVersion" | "model">,
  { guard }: { guard?: () => void } = {},
): Promise<Lineage> {
  const lineage: Lineage = { formatVersion: 1, model: await identifyModel(directory), ...about };
  const options = guard ? { guard } : {};
  await atomicWriteFile(join(directory, CARD_FILE), modelCard(lineage), options);
  const text = `${JSON.stringify(lineage, null, 2)}\n`;
  await atomicWriteFile(join(directory, LINEAGE_FILE), text, options);
  return lineage;
}
