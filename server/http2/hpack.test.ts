import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../base/prng.ts";
import { ConnectionFailure } from "./errors.ts";
import { type FieldToSend, HpackDecoder, HpackEncoder, SharedField } from "./hpack.ts";
import { MAX_HEADER_LIST_BYTES } from "./limits.ts";

function decoder(): (hex: string) => string[] {
  const hpack = new HpackDecoder((list) => list);
  return (hex) => {
    const bytes = Buffer.from(hex.replaceAll(" ", ""), "hex");
    return hpack.decode(bytes, 0, bytes.length).fields.map(({ name, value }) => `${name}: ${value}`);
  };
}

function encode(encoder: HpackEncoder, fields: readonly FieldToSend[]): Buffer {
  const into = Buffer.alloc(64 * 1024);
  return Buffer.from(into.subarray(0, encoder.encode(fields, into, 0)));
}

const REQUEST = [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"];

test("the examples of RFC 7541, appendix C.2", () => {
  assert.deepEqual(decoder()("400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572"), [
    "custom-key: custom-header",
  ]);
  assert.deepEqual(decoder()("040c 2f73 616d 706c 652f 7061 7468"), [":path: /sample/path"]);
  assert.deepEqual(decoder()("1008 7061 7373 776f 7264 0673 6563 7265 74"), ["password: secret"]);
  assert.deepEqual(decoder()("82"), [":method: GET"]);
});

test("three requests on one connection, appendix C.3 and C.4: plain and with Huffman", () => {
  const plain = ["8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", "8286 84be 5808 6e6f 2d63 6163 6865"];
  const packed = ["8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", "8286 84be 5886 a8eb 1064 9cbf"];
  const last = [
    "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
    "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
  ];
  for (const [index, blocks] of [plain, packed].entries()) {
    const decode = decoder();
    assert.deepEqual(decode(blocks[0] as string), REQUEST);
    assert.deepEqual(decode(blocks[1] as string), [...REQUEST, "cache-control: no-cache"]);
    assert.deepEqual(decode(last[index] as string), [
      ":method: GET",
      ":scheme: https",
      ":path: /index.html",
      ":authority: www.example.com",
      "custom-key: custom-value",
    ]);
  }
});

test("a block that comes again is known by its bytes, until the table changes", () => {
  let made = 0;
  const hpack = new HpackDecoder((list) => {
    made++;
    return list.fields.map(({ value }) => value).join();
  });
  const decode = (hex: string) => {
    const bytes = Buffer.from(hex, "hex");
    return hpack.decode(bytes, 0, bytes.length);
  };
  decode("410161"); // :authority: a, kept as 62
  assert.equal(decode("82be"), "GET,a");
  assert.equal(decode("82be"), "GET,a");
  assert.equal(made, 2);
  decode("410162");
  assert.equal(decode("82be"), "GET,b");
  assert.equal(decode("82bf"), "GET,a");
});

test("what is no header block is refused, and never read past", () => {
  const bad: readonly (readonly [what: string, hex: string])[] = [
    ["index 0", "80"],
    ["an index beyond both tables", "be"],
    ["a name beyond both tables", "7e0161"],
    ["an integer without an end", "ffffffffffffffffffff"],
    ["cut in an integer", "ff"],
    ["cut before a value", "41"],
    ["a string longer than the block", "410561"],
    ["a Huffman string that ends in zeros", "418118"],
    ["a table larger than we allow", "3fe2 1f".replace(" ", "")],
    ["a table size behind a field", "8220"],
    ["three table sizes", "202020"],
  ];
  for (const [what, hex] of bad) {
    assert.throws(() => decoder()(hex), ConnectionFailure, what);
  }
});

test("a list beyond the bound is read to its end, for the table's sake, and not kept", () => {
  const hpack = new HpackDecoder((list) => list);
  const value = "v".repeat(1000);
  const literal = Buffer.concat([
    Buffer.from("4001617fe906", "hex").subarray(0, 3),
    Buffer.from("7fe906", "hex"),
    Buffer.from(value),
  ]);
  hpack.decode(literal, 0, literal.length);
  const bomb = Buffer.alloc(16_000, 0xbe);
  const list = hpack.decode(bomb, 0, bomb.length);
  assert.equal(list.tooLarge, true);
  assert.ok(list.fields.length * 1033 <= MAX_HEADER_LIST_BYTES);
  assert.equal(hpack.decode(Buffer.from("be", "hex"), 0, 1).fields[0]?.value, value);
});

test("an answer's head and trailers are a byte a field once they have been sent", () => {
  const encoder = new HpackEncoder();
  const head = [new SharedField(":status", "200"), new SharedField("content-type", "application/grpc")];
  const trailers = [new SharedField("grpc-status", "0")];
  const sizes = [];
  for (let round = 0; round < 3; round++) sizes.push(encode(encoder, head).length, encode(encoder, trailers).length);
  assert.deepEqual(sizes.slice(2), [2, 1, 2, 1]);
});

test("a peer that wants no table gets none, and is told of every size", () => {
  const encoder = new HpackEncoder();
  const decode = decoder();
  const field = new SharedField("content-type", "application/grpc");
  assert.deepEqual(decode(encode(encoder, [field]).toString("hex")), ["content-type: application/grpc"]);
  encoder.setPeerCapacity(0);
  const none = encode(encoder, [field]);
  assert.equal(none[0], 0x20);
  assert.deepEqual(decode(none.toString("hex")), ["content-type: application/grpc"]);
  assert.ok(encode(encoder, [field]).length > 10, "a literal each time");
  encoder.setPeerCapacity(0);
  encoder.setPeerCapacity(100);
  encoder.setPeerCapacity(4096);
  const again = encode(encoder, [field]);
  assert.deepEqual([again[0], again[1], again[2]], [0x3f, 100 - 31, 0x3f], "the lowest, then the last");
  assert.deepEqual(decode(again.toString("hex")), ["content-type: application/grpc"]);
  assert.equal(encode(encoder, [field]).length, 1);
});

test("whatever is encoded is decoded, through evictions and changes of size", () => {
  const prng = new Prng(11);
  const encoder = new HpackEncoder();
  const hpack = new HpackDecoder((list) => list);
  const shared = Array.from({ length: 60 }, (_, index) => new SharedField(`n${index % 40}`, "x".repeat(index * 7)));
  for (let round = 0; round < 3000; round++) {
    if (prng.chance(0.02)) encoder.setPeerCapacity(prng.pick([0, 50, 300, 1000, 4096, 65_536]));
    const fields = Array.from({ length: prng.below(6) }, (): FieldToSend => {
      if (prng.chance(0.7)) return prng.pick(shared);
      return { name: "once", value: Buffer.from(prng.bytes(prng.below(40))).toString("latin1") };
    });
    const block = encode(encoder, fields);
    const list = hpack.decode(block, 0, block.length);
    assert.deepEqual(
      list.fields.map(({ name, value }) => [name, value]),
      fields.map(({ name, value }) => [name, value]),
    );
  }
});

test("random bytes are a list or a refusal", () => {
  const prng = new Prng(12);
  for (let round = 0; round < 20_000; round++) {
    const hpack = new HpackDecoder((list) => list);
    for (let block = 0; block < 3; block++) {
      const bytes = Buffer.from(prng.bytes(prng.below(40)));
      try {
        hpack.decode(bytes, 0, bytes.length);
      } catch (error) {
        assert.ok(error instanceof ConnectionFailure, String(error));
        break;
      }
    }
  }
});
