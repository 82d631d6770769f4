/**
 * The events of a stream of bytes, by the letter of the HTML standard (9.2.6), fed in parts of any size.
 * Strict: a line that is neither empty nor `data: …` throws, and so does an event without data.
 */
export class SseParser {
  readonly events: string[] = [];
  private readonly decoder = new TextDecoder("utf-8", { fatal: true });
  private line = "";
  private data: string[] = [];

  push(bytes: Uint8Array): void {
    this.line += this.decoder.decode(bytes, { stream: true });
    for (;;) {
      const end = this.line.indexOf("\n");
      if (end === -1) return;
      this.take(this.line.slice(0, end));
      this.line = this.line.slice(end + 1);
    }
  }

  /** Throws when the stream ended in the middle of something. */
  end(): void {
    this.decoder.decode();
    if (this.line !== "" || this.data.length > 0) throw new Error("the stream ended in an event");
  }

  private take(line: string): void {
    if (line.startsWith("data: ")) {
      this.data.push(line.slice("data: ".length));
    } else if (line === "" && this.data.length > 0) {
      this.events.push(this.data.join("\n"));
      this.data = [];
    } else {
      throw new Error(`not a line of this stream: ${JSON.stringify(line)}`);
    }
  }
}
