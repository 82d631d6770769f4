import { useRef } from "preact/hooks";
import { uuid } from "./uuid.js";

/**
 * The `submissionId` of something that is handed in: the same until an attempt has succeeded, so that
 * trying again counts once.
 */
export function useSubmissionId(): { current: () => string; renew: () => void } {
  const id = useRef(uuid());
  return useRef({
    current: () => id.current,
    renew: () => void (id.current = uuid()),
  }).current;
}
