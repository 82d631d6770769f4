const TURN = /<\|(system|user|assistant)\|>/;

/** The turns of a rendered conversation; a foreign template is one text as it is, without a role. */
export function promptTurns(prompt: string): { role?: string; text: string }[] {
  const parts = prompt.split(TURN);
  if (parts.length < 3) return [{ text: prompt }];
  const turns: { role: string; text: string }[] = [];
  for (let i = 1; i < parts.length; i += 2) {
    const [role = "", text = ""] = [parts[i], parts[i + 1]];
    const shown = text.replaceAll(/<\|(bos|end|pad)\|>/g, "").trim();
    if (shown !== "") turns.push({ role, text: shown }); // empty where the answer begins
  }
  return turns;
}
