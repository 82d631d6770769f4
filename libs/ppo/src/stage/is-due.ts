/** Whether something done every so many updates is due; 0 = after the last one only. */
export function isDue(update: number, every: number, last: number): boolean {
  return update === last || (every > 0 && update % every === 0);
}
