const COUNT_UNITS = ["", "k", "M", "G", "T"] as const;
const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

/** 0.8 M style: three significant digits with a decimal prefix, e.g. `12.3k`. */
export function formatCount(count: number): string {
  return scale(count, 1000, COUNT_UNITS, "");
}

/** Binary units, e.g. `1.50 MiB`. */
export function formatBytes(numBytes: number): string {
  return scale(numBytes, 1024, BYTE_UNITS, " ");
}

/** `850ms`, `12.3s`, `4m 05s`, `2h 03m`. */
export function formatDuration(durationMs: number): string {
  if (!Number.isFinite(durationMs)) return "–";
  if (durationMs < 1000) return `${Math.round(durationMs)}ms`;
  if (durationMs < 59_950) return `${(durationMs / 1000).toFixed(1)}s`;
  const seconds = Math.round(durationMs / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${pad(seconds % 60)}s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)}h ${pad(minutes % 60)}m`;
}

function scale(value: number, base: number, units: readonly string[], gap: string): string {
  let scaled = Math.abs(value);
  let unit = 0;
  while (scaled >= base && unit < units.length - 1) {
    scaled /= base;
    unit++;
  }
  const digits =
    unit === 0 ? (Number.isInteger(scaled) ? 0 : 2) : scaled < 10 ? 2 : scaled < 100 ? 1 : 0;
  return `${value < 0 ? "-" : ""}${scaled.toFixed(digits)}${gap}${units[unit]}`;
}

function pad(value: number): string {
  return String(value).padStart(2, "0");
}
