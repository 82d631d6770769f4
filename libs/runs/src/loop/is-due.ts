/** Whether something done every so many steps is due; 0 = after the last one only. */
export function isDue(step: number, every: number, last: number): boolean {
  return step === last || (every > 0 && step % every === 0);
}
