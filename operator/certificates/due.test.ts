import assert from "node:assert/strict";
import { test } from "node:test";
import { authorityDue, authorityLifetimeMs, isUrgent, leafDue, type RenewalTerms, renewalAt } from "./due.ts";

const DAY = 24 * 3600_000;
const TERMS: RenewalTerms = { durationMs: 90 * DAY, renewBeforeMs: 30 * DAY };
const leaf = { notBefore: 0, notAfter: 90 * DAY, isOfAuthority: true, missingNames: [] };

test("a leaf is renewed renewBefore its end, and not before", () => {
  assert.equal(leafDue(leaf, TERMS, 60 * DAY - 1), undefined);
  assert.equal(leafDue(leaf, TERMS, 60 * DAY), "it ends in 30 days");
  assert.equal(leafDue(leaf, TERMS, 91 * DAY), "it ends in the past");
});

test("a leaf is renewed for another authority and for a name that it lacks", () => {
  assert.equal(leafDue(undefined, TERMS, 0), "there is none");
  assert.equal(leafDue({ ...leaf, isOfAuthority: false }, TERMS, 0), "another authority signs now");
  assert.equal(leafDue({ ...leaf, missingNames: ["a", "b"] }, TERMS, 0), 'it is not good for "a"');
});

test("a leaf that was issued for less than renewBefore is not renewed again and again", () => {
  assert.equal(renewalAt({ notBefore: 0, notAfter: 15 * DAY }, TERMS), 10 * DAY);
});

test("an authority ends after every leaf that it signs", () => {
  for (const days of [1, 90, 3650]) {
    const terms = { durationMs: days * DAY, renewBeforeMs: (days * DAY) / 3 };
    const authority = { notBefore: 0, notAfter: authorityLifetimeMs(terms) };
    assert.equal(authorityDue(authority, terms, 0), undefined);
    const lastMoment = authority.notAfter - terms.durationMs - terms.renewBeforeMs;
    assert.equal(authorityDue(authority, terms, lastMoment), undefined);
    assert.notEqual(authorityDue(authority, terms, lastMoment + 1), undefined);
  }
  assert.equal(authorityDue(undefined, TERMS, 0), "there is none");
});

test("what is due is urgent on its last day, or in the last tenth of a short life", () => {
  assert.equal(isUrgent(leaf, 89 * DAY - 1), false);
  assert.equal(isUrgent(leaf, 89 * DAY), true);
  assert.equal(isUrgent({ notBefore: 0, notAfter: DAY }, 0.9 * DAY - 1), false);
  assert.equal(isUrgent({ notBefore: 0, notAfter: DAY }, 0.9 * DAY), true);
});
