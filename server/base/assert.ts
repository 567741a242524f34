/** Checks that stay on in production: a broken assumption ends the process before it can spread. */

/** Thrown when our own code broke a promise. Nobody catches it but the process, which then stops. */
export class AssertionFailure extends Error {
  override readonly name = "AssertionFailure";
}

/** Stops with `message` unless `condition` holds. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionFailure(message);
}

/** For the default branch of a switch over a closed union: the compiler proves that it is never reached. */
export function unreachable(value: never): never {
  throw new AssertionFailure(`unexpected value ${JSON.stringify(value)}`);
}
