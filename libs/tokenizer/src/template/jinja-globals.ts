import { StagecraftError } from "@stagecraft/core";

/** As in Jinja's sandbox: a template must not fill the memory. */
const MAX_RANGE = 100_000;

/** What transformers lets a chat template call and name. */
export const JINJA_GLOBALS: Readonly<Record<string, unknown>> = {
  ...{ true: true, True: true, false: false, False: false, none: null, None: null },
  raise_exception(message: string) {
    throw new StagecraftError("invalid_argument", message);
  },
  range(first: number, end?: number, step = 1) {
    const [from, to] = end === undefined ? [0, first] : [first, end];
    const length = Math.max(0, Math.ceil((to - from) / step));
    if (!(length <= MAX_RANGE)) {
      throw new StagecraftError("invalid_argument", `range is longer than ${MAX_RANGE}`);
    }
    return Array.from({ length }, (_, i) => from + i * step);
  },
  strftime_now: (format: string) => formatDate(new Date(), format),
};

/** A date as C's `strftime` writes it in English; throws `unimplemented` on a directive it lacks. */
export function formatDate(date: Date, format: string): string {
  return format.replace(/%(.)/g, (_, directive: string) => {
    const write = DIRECTIVES[directive];
    if (write) return write(date);
    throw new StagecraftError("unimplemented", `strftime_now does not know %${directive}`);
  });
}

const two = (value: number) => String(value).padStart(2, "0");
const named = (date: Date, options: Intl.DateTimeFormatOptions) =>
  date.toLocaleDateString("en-US", options);

const DIRECTIVES: Readonly<Record<string, (date: Date) => string>> = {
  Y: (date) => String(date.getFullYear()),
  m: (date) => two(date.getMonth() + 1),
  d: (date) => two(date.getDate()),
  H: (date) => two(date.getHours()),
  I: (date) => two(date.getHours() % 12 || 12),
  M: (date) => two(date.getMinutes()),
  S: (date) => two(date.getSeconds()),
  p: (date) => (date.getHours() < 12 ? "AM" : "PM"),
  A: (date) => named(date, { weekday: "long" }),
  a: (date) => named(date, { weekday: "short" }),
  B: (date) => named(date, { month: "long" }),
  b: (date) => named(date, { month: "short" }),
  "%": () => "%",
};
