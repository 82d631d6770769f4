import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { ApiError, request } from "../api/client.js";

export interface Loaded<T> {
  data: T | undefined;
  error: ApiError | undefined;
  isLoading: boolean;
  /** Asks again; the data stays on the screen meanwhile. */
  reload: () => Promise<void>;
  setData: (data: T) => void;
}

/** `GET`s a path of the API when the component appears, and whenever the path changes. */
export function useLoad<T>(path: string): Loaded<T> {
  const [state, setState] = useState<{ data?: T; error?: ApiError; isLoading: boolean }>({
    isLoading: true,
  });
  const latest = useRef(0);
  const reload = useCallback(async () => {
    const mine = ++latest.current;
    const isStale = () => mine !== latest.current;
    setState(({ data }) => ({ ...(data === undefined ? {} : { data }), isLoading: true }));
    try {
      const data = await request<T>("GET", path);
      if (!isStale()) setState({ data, isLoading: false });
    } catch (error) {
      if (isStale()) return;
      setState((old) => ({ ...old, error: ApiError.from(error), isLoading: false }));
    }
  }, [path]);
  useEffect(() => {
    void reload();
    return () => void latest.current++;
  }, [reload]);
  const setData = useCallback((data: T) => setState({ data, isLoading: false }), []);
  return { data: state.data, error: state.error, isLoading: state.isLoading, reload, setData };
}

/** Asks again every so often while somebody looks. */
export function useRefresh(reload: () => Promise<void>, everyMs: number): void {
  useEffect(() => {
    const timer = window.setInterval(() => {
      if (!document.hidden) void reload();
    }, everyMs);
    return () => window.clearInterval(timer);
  }, [reload, everyMs]);
}

/** Runs one action at a time; keeps its error for the page to show. */
export function useAction(): {
  isBusy: boolean;
  error: ApiError | undefined;
  run: (action: () => Promise<void>) => Promise<void>;
  clear: () => void;
} {
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | undefined>();
  const busy = useRef(false);
  const run = useCallback(async (action: () => Promise<void>) => {
    if (busy.current) return; // a second Enter while the first is on its way
    busy.current = true;
    setBusy(true);
    setError(undefined);
    try {
      await action();
    } catch (thrown) {
      setError(ApiError.from(thrown));
    } finally {
      busy.current = false;
      setBusy(false);
    }
  }, []);
  return { isBusy, error, run, clear: () => setError(undefined) };
}
