/** What is wrong with certificates that others bring, and what they can do about it. */

export class CertificateProblem extends Error {
  override readonly name = "CertificateProblem";

  /** `remedy`: what a person should do, as a sentence without its end. */
  constructor(what: string, remedy: string) {
    super(`${what}: ${remedy}`);
  }
}
