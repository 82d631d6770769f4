/** 0.873 → "87 %". */
export function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

/** 0.8734 → "87.3 %". */
export function percentFine(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
