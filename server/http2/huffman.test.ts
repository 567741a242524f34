import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../base/prng.ts";
import { decodedMax, huffmanDecode, huffmanEncode, huffmanSize } from "./huffman.ts";

function encode(text: string): Buffer {
  const into = Buffer.alloc(huffmanSize(text) + 1);
  return into.subarray(0, huffmanEncode(text, into, 0));
}

function decode(bytes: Uint8Array): string | undefined {
  const into = Buffer.alloc(decodedMax(bytes.length) + 1);
  const length = huffmanDecode(bytes, 0, bytes.length, into);
  return length < 0 ? undefined : into.toString("latin1", 0, length);
}

test("the examples of RFC 7541, appendix C.4 and C.6, both ways", () => {
  const examples: readonly (readonly [text: string, hex: string])[] = [
    ["www.example.com", "f1e3c2e5f23a6ba0ab90f4ff"],
    ["no-cache", "a8eb10649cbf"],
    ["custom-key", "25a849e95ba97d7f"],
    ["custom-value", "25a849e95bb8e8b4bf"],
    ["302", "6402"],
    ["private", "aec3771a4b"],
    ["Mon, 21 Oct 2013 20:13:21 GMT", "d07abe941054d444a8200595040b8166e082a62d1bff"],
    ["https://www.example.com", "9d29ad171863c78f0b97c8e9ae82ae43d3"],
    ["307", "640eff"],
    ["gzip", "9bd9ab"],
    [
      "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
      "94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
    ],
  ];
  for (const [text, hex] of examples) {
    assert.equal(encode(text).toString("hex"), hex, text);
    assert.equal(decode(Buffer.from(hex, "hex")), text);
  }
});

test("every byte comes back, alone and among others", () => {
  for (let byte = 0; byte < 256; byte++) {
    const text = String.fromCharCode(byte);
    assert.equal(decode(encode(text)), text);
    assert.equal(decode(encode(`a${text}b${text}`)), `a${text}b${text}`);
  }
  const prng = new Prng(7);
  for (let round = 0; round < 500; round++) {
    const text = Array.from({ length: prng.below(60) }, () => String.fromCharCode(prng.below(256))).join("");
    assert.equal(decode(encode(text)), text);
  }
});

test("padding is short and made of ones, and the end-of-string symbol never stands in a string", () => {
  assert.equal(decode(Buffer.from("1f", "hex")), "a", "three ones");
  assert.equal(decode(Buffer.from("18", "hex")), undefined, "zeros");
  assert.equal(decode(Buffer.from("1fff", "hex")), undefined, "eleven ones");
  assert.equal(decode(Buffer.from("ff", "hex")), undefined, "a byte of nothing but padding");
  assert.equal(decode(Buffer.from("3fffffff", "hex")), undefined, "EOS");
  assert.equal(decode(Buffer.alloc(0)), "");
});
