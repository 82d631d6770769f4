import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type { DemonstrationStored, Draft } from "../../../src/http/api/index.js";
import { ApiError, request } from "../api/client.js";
import { useSubmissionId } from "../api/use-submission-id.js";
import { turnsToEdit, turnsToStore, type EditedTurn } from "./draft-state.js";

const SAVE_AFTER_MS = 800;

/** A draft that saves itself a moment after each change. */
export interface DraftDesk {
  turns: readonly EditedTurn[];
  state: "saved" | "changed" | "saving";
  error: ApiError | undefined;
  setTurns: (change: (turns: readonly EditedTurn[]) => EditedTurn[]) => void;
  save: () => Promise<void>;
  /** Saves what is left to save, then hands the draft in. Resolves with false if that failed. */
  submit: () => Promise<boolean>;
}

export function useDraft(draft: Draft): DraftDesk {
  const [turns, setTurnsState] = useState(() => turnsToEdit(draft));
  const [state, setState] = useState<DraftDesk["state"]>("saved");
  const [error, setError] = useState<ApiError | undefined>();
  const latest = useRef({ turns, revision: draft.revision, isDirty: false });
  const saving = useRef<Promise<void> | null>(null);
  const timer = useRef<number | undefined>(undefined);
  const submission = useSubmissionId();
  const path = `write/drafts/${encodeURIComponent(draft.draftId)}`;

  const saveOnce = async () => {
    const { turns: current, revision } = latest.current;
    latest.current.isDirty = false;
    setState("saving");
    try {
      const body = { revision, turns: turnsToStore(current) };
      latest.current.revision = (await request<Draft>("PUT", path, body)).revision;
      setState(latest.current.isDirty ? "changed" : "saved");
      setError(undefined);
    } catch (thrown) {
      latest.current.isDirty = true;
      setState("changed");
      throw thrown;
    }
  };
  /** Saves until nothing is left to save; one request at a time, so that revisions stay in order. */
  const saveAll = async () => {
    window.clearTimeout(timer.current);
    while (saving.current || latest.current.isDirty) {
      saving.current ??= saveOnce().finally(() => (saving.current = null));
      await saving.current;
    }
  };
  const save = useCallback(async () => {
    await saveAll().catch((thrown: unknown) => setError(ApiError.from(thrown)));
  }, []);
  const setTurns: DraftDesk["setTurns"] = useCallback((change) => {
    const changed = change(latest.current.turns);
    Object.assign(latest.current, { turns: changed, isDirty: true });
    setTurnsState(changed);
    setState("changed");
    window.clearTimeout(timer.current);
    timer.current = window.setTimeout(() => void save(), SAVE_AFTER_MS);
  }, []);
  useEffect(() => {
    const saveIfHidden = () => document.hidden && void save();
    document.addEventListener("visibilitychange", saveIfHidden);
    return () => {
      document.removeEventListener("visibilitychange", saveIfHidden);
      void save(); // who leaves the page keeps what is written
    };
  }, []);
  const submit = async () => {
    try {
      await saveAll();
      const body = { submissionId: submission.current(), revision: latest.current.revision };
      await request<DemonstrationStored>("POST", `${path}/submit`, body);
      return true;
    } catch (thrown) {
      setError(ApiError.from(thrown));
      return false;
    }
  };
  return { turns, state, error, setTurns, save, submit };
}
