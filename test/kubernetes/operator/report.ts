/** What the suite says: a line a check, and the count. A check that fails does not end the suite; what hangs on it does. */

export class Report {
  passed = 0;
  failed = 0;
  readonly #skipped: string[] = [];
  readonly #failures: string[] = [];
  #last = performance.now();

  get seconds(): number {
    return performance.now() / 1000;
  }

  title(text: string): void {
    console.log(`\n== ${text} (${(performance.now() / 1000).toFixed(0)} s)`);
    this.#last = performance.now();
  }

  /** `detail` is told when it is not so. The time is that since the line before. */
  check(text: string, isSo: boolean, detail: string = ""): void {
    const seconds = ((performance.now() - this.#last) / 1000).toFixed(1).padStart(6);
    this.#last = performance.now();
    if (isSo) this.passed++;
    else {
      this.failed++;
      this.#failures.push(text);
    }
    console.log(isSo ? `ok     ${seconds} s  ${text}` : `FAILED ${seconds} s  ${text}${detail && `: ${detail}`}`);
  }

  skip(text: string, reason: string): void {
    this.#skipped.push(text);
    console.log(`SKIPPED           ${text}: ${reason}`);
  }

  note(text: string): void {
    console.log(`                  ${text}`);
  }

  /** The last lines; answers whether all is well. */
  end(skipsFail: boolean): boolean {
    for (const text of this.#failures) console.log(`failed: ${text}`);
    const skips = this.#skipped.length === 0 ? "" : `, ${this.#skipped.length} skipped (${this.#skipped.join("; ")})`;
    console.log(`\n${this.passed} passed, ${this.failed} failed${skips}`);
    return this.failed === 0 && this.passed > 0 && !(skipsFail && this.#skipped.length > 0);
  }
}
