/**
 * What the order of records says about their being all there, each once. Nothing above the compacted revision is ever deleted, so
 * main revisions follow one another without a gap, and in each the sub-revisions from 0 on. Checksums guard what a record
 * says; this guards against a page that hides records, behind which an older value would be taken for the newest.
 */
import { CorruptRecord } from "../ports/backend.ts";

export class RevisionOrder {
  readonly #after: number;
  #main: number;
  #sub = -1;
  /** Of the last record up to `#after`. */
  #oldMain = 0;
  #oldSub = -1;

  /** Every main revision above `after`, and what belongs to it, must come. */
  constructor(after: number) {
    this.#after = after;
    this.#main = after;
  }

  /** The next record in order. Throws `CorruptRecord` when one before it is missing, or it comes a second time. */
  next(main: number, sub: number): void {
    if (main <= this.#after) {
      this.#nextOld(main, sub);
      return;
    }
    const follows = main === this.#main ? sub === this.#sub + 1 : main === this.#main + 1 && sub === 0;
    if (!follows) throw missing(this.#main, this.#sub, `${main}.${sub}`);
    this.#main = main;
    this.#sub = sub;
  }

  /** There may be gaps. The put and the deletion of one revision have different keys, and only one of them can be true. */
  #nextOld(main: number, sub: number): void {
    const rises = main > this.#oldMain || (main === this.#oldMain && sub > this.#oldSub);
    if (!rises || main === 0)
      throw new CorruptRecord(
        `the record of revision ${main}.${sub} in bucket "key" follows ${this.#oldMain}.${this.#oldSub}`,
      );
    this.#oldMain = main;
    this.#oldSub = sub;
  }

  /** There are no more records. Throws `CorruptRecord` when the last of them was not of main revision `last`. */
  end(last: number): void {
    if (this.#main < last) throw missing(this.#main, this.#sub, `the end at ${last}`);
  }
}

function missing(main: number, sub: number, found: string): CorruptRecord {
  const from = sub < 0 ? `${main}` : `${main}.${sub}`;
  return new CorruptRecord(`records between revision ${from} and ${found} are missing in bucket "key"`);
}
