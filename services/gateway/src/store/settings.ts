import type { CriteriaSettings, Settings } from "../http/api/index.js";
import type { Db, Tx } from "./database.js";

/** Every setting until an operator changes it. */
export const DEFAULT_SETTINGS: Settings = {
  ratersPerComparison: 1,
  leaseMinutes: 30,
  goldShare: 0.05,
  automaticRounds: false,
};

const DEFAULT_CRITERIA: CriteriaSettings = {
  criteria: [
    { id: "helpful", name: "Helpful", question: "Which answer helps most?", ask: "off" },
    { id: "honest", name: "Honest", question: "Which answer is truest?", ask: "off" },
    { id: "harmless", name: "Harmless", question: "Which answer does least harm?", ask: "off" },
    { id: "clear", name: "Clear", question: "Which answer is clearest?", ask: "off" },
    {
      id: "relevant",
      name: "Relevant",
      question: "Which answer is most to the point?",
      ask: "off",
    },
  ],
};

/** Settings as an operator left them; the rest as `defaults` and DEFAULT_SETTINGS have it. */
export async function readSettings(db: Db | Tx, defaults: Partial<Settings>): Promise<Settings> {
  const stored = await readSetting(db, "settings");
  return { ...DEFAULT_SETTINGS, ...defaults, ...(stored as Partial<Settings> | undefined) };
}

export async function readCriteria(db: Db | Tx): Promise<CriteriaSettings> {
  return ((await readSetting(db, "criteria")) as CriteriaSettings | undefined) ?? DEFAULT_CRITERIA;
}

async function readSetting(db: Db | Tx, name: string): Promise<object | undefined> {
  const query = db.selectFrom("settings").select("value").where("name", "=", name);
  return (await query.executeTakeFirst())?.value;
}

/** Puts a setting in the place of what was there. */
export async function writeSetting(
  tx: Tx,
  name: "settings" | "criteria",
  value: object,
): Promise<void> {
  const text = JSON.stringify(value);
  await tx
    .insertInto("settings")
    .values({ name, value: text })
    .onConflict((conflict) => conflict.column("name").doUpdateSet({ value: text }))
    .execute();
}
