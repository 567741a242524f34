/**
 * Imports the test files given as arguments into this process, where node:test runs them one after another. A file that
 * cannot be loaded is a failing test that names it. Started by `test/run.ts`.
 */
import { test } from "node:test";
import { pathToFileURL } from "node:url";

const [limitSeconds = "300", ...files] = process.argv.slice(2);

// It does not keep the process alive by itself: when it fires, a test hangs or has left something open.
setTimeout(() => {
  console.error(`still running after ${limitSeconds} s, held by: ${process.getActiveResourcesInfo().join(", ")}`);
  process.exit(1);
}, Number(limitSeconds) * 1000).unref();

for (const file of files) {
  try {
    await import(pathToFileURL(file).href);
  } catch (error) {
    test(`loading ${file}`, () => {
      throw error;
    });
  }
}
