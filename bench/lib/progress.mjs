/** What is running, which round, and how long the rest will take; on stderr, beside the results. */
export class Progress {
  /** @param {readonly { name: string, seconds: number }[]} benches in their order */
  constructor(benches, stream = process.stderr) {
    this.stream = stream;
    this.benches = benches;
    this.started = performance.now();
    this.expectedDone = 0;
    this.expectedTotal = benches.reduce((sum, { seconds }) => sum + seconds, 0);
    this.index = -1;
    this.share = 0;
  }

  start(index) {
    this.index = index;
    this.share = 0;
    this.show("starting");
  }

  round(round, rounds) {
    this.share = round / rounds;
    this.show(`round ${round + 1} of ${rounds}`);
  }

  note(text) {
    this.show(text);
  }

  done() {
    this.expectedDone += this.benches[this.index].seconds;
    this.share = 0;
    this.clear();
  }

  warn(text) {
    this.clear();
    this.stream.write(`${text}\n`);
  }

  show(what) {
    const { name } = this.benches[this.index];
    const text = `${this.index + 1}/${this.benches.length} ${name}: ${what}, ${this.timeLeft()}`;
    if (this.stream.isTTY) this.stream.write(`\r\x1b[2K${text}`);
    else if (what === "starting") this.stream.write(`${text}\n`);
  }

  clear() {
    if (this.stream.isTTY) this.stream.write("\r\x1b[2K");
  }

  /** The estimates, scaled by how they have done so far. */
  timeLeft() {
    const done = this.expectedDone + this.share * this.benches[this.index].seconds;
    const elapsed = (performance.now() - this.started) / 1000;
    const scale = done > 20 ? elapsed / done : 1;
    const seconds = Math.max(1, (this.expectedTotal - done) * scale);
    return seconds < 90
      ? `about ${Math.ceil(seconds)} s left`
      : `about ${Math.ceil(seconds / 60)} min left`;
  }
}
