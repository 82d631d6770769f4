import { useRef, useState } from "preact/hooks";

/** Something that is being dragged, and the `data-drop` of what it is over. */
export interface Drag {
  answer: number;
  over: string | null;
}

const THRESHOLD_PX = 5; // less is a click

/**
 * Dragging with mouse, pen and finger alike (HTML's own drag and drop knows no touch). Elements with
 * `data-drop="TEXT"` take what is dropped; the text says where.
 */
export function useDrag(onDrop: (answer: number, where: string) => void) {
  const [drag, setDrag] = useState<Drag | null>(null);
  const start = useRef<{ answer: number; x: number; y: number } | null>(null);
  const targetAt = (event: PointerEvent) =>
    document
      .elementFromPoint(event.clientX, event.clientY)
      ?.closest<HTMLElement>("[data-drop]")
      ?.getAttribute("data-drop") ?? null;
  const end = () => {
    start.current = null;
    setDrag(null);
  };
  const handle = (answer: number) => ({
    onPointerDown: (event: PointerEvent) => {
      if (event.button !== 0) return;
      (event.currentTarget as Element).setPointerCapture(event.pointerId);
      start.current = { answer, x: event.clientX, y: event.clientY };
    },
    onPointerMove: (event: PointerEvent) => {
      if (!start.current) return;
      const { x, y } = start.current;
      const isMoved = Math.hypot(event.clientX - x, event.clientY - y) >= THRESHOLD_PX;
      if (!drag && !isMoved) return;
      setDrag({ answer: start.current.answer, over: targetAt(event) });
    },
    onPointerUp: (event: PointerEvent) => {
      const where = drag && targetAt(event);
      const dragged = start.current?.answer;
      end();
      if (where && dragged !== undefined) onDrop(dragged, where);
    },
    onPointerCancel: end,
  });
  return { drag, handle };
}
