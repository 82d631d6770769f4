/** The names by which a tensor engine is asked for; auto takes the fastest that works. */
export const ENGINES = ["auto", "native", "xla", "tensorflow", "cpu"] as const;
