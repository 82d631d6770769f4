import type { IntBuffer } from "./int-buffer.js";

/** What turns a piece of text into ids. */
export interface PieceModel {
  encodePiece(piece: string, out: IntBuffer): void;
  /** Bytes that are no text. */
  encodeRaw(bytes: Uint8Array, out: IntBuffer): void;
}
