import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { concat } from "../bytes.ts";
import { PeerError } from "../errors.ts";
import {
  encode,
  type Frame,
  FrameReader,
  Kind,
  MAX_PAYLOAD_BYTES,
  MORE,
  UNFINISHED,
} from "./frame.ts";

const LIMIT = 1000;
const limit = () => LIMIT;

function read(pieces: Uint8Array[]): Frame[] {
  const frames: Frame[] = [], reader = new FrameReader(limit);
  for (const piece of pieces) reader.push(piece, (frame) => frames.push(frame));
  return frames;
}

const anyFrame = fc.record({
  kind: fc.constantFrom(Kind.REQUEST, Kind.REPLY, Kind.CHUNK),
  more: fc.boolean(),
  call: fc.nat(255),
  conversation: fc.nat(0xffffffff),
  header: fc.uint8Array({ maxLength: 50 }),
  payload: fc.uint8Array({ maxLength: 200 }),
});

/** As one frame, what was passed on in pieces: content chunks of one conversation, and all but the last say `more`. */
function joined(frames: readonly Frame[]): Frame[] {
  const whole: Frame[] = [];
  for (const frame of frames) {
    const last = whole.at(-1);
    const same = last?.kind === Kind.CHUNK && frame.kind === Kind.CHUNK && last.more &&
      last.conversation === frame.conversation && last.call === frame.call &&
      !last.header.length && !frame.header.length;
    if (!same) whole.push(frame);
    else whole[whole.length - 1] = { ...frame, payload: concat([last.payload, frame.payload]) };
  }
  return whole;
}

function wire(frame: Frame): Uint8Array {
  const kind = frame.kind | (frame.more ? MORE : 0);
  return concat(encode(kind, frame.call, frame.conversation, frame.header, frame.payload));
}

Deno.test("FrameReader gives back what was encoded, however the bytes are cut", () => {
  fc.assert(fc.property(
    fc.array(anyFrame, { maxLength: 10 }),
    fc.array(fc.nat(400), { maxLength: 20 }),
    (frames, cuts) => {
      const all = concat(frames.map(wire));
      const pieces: Uint8Array[] = [];
      let at = 0;
      for (const cut of cuts) pieces.push(all.slice(at, at += cut));
      pieces.push(all.slice(at));
      assertEquals(joined(read(pieces.filter((piece) => piece.length))), joined(frames));
    },
  ));
});

Deno.test("FrameReader gives back frames that arrive byte by byte", () => {
  const frame = {
    kind: Kind.REQUEST,
    more: true,
    call: 3,
    conversation: 0xfffffffe,
    header: new Uint8Array([1, 2, 3]),
    payload: new Uint8Array(70_000).fill(7),
  };
  const all = concat([wire(frame), wire({ ...frame, more: false })]);
  assertEquals(read(Array.from(all, (byte) => new Uint8Array([byte]))), [
    frame,
    { ...frame, more: false },
  ]);
});

Deno.test("FrameReader either gives frames within the limits or throws PeerError, for any bytes", () => {
  const noise = fc.oneof(
    fc.uint8Array({ maxLength: 100 }),
    // Near misses: a valid frame with one byte changed.
    fc.tuple(anyFrame, fc.nat(13), fc.nat(255)).map(([frame, at, value]) => {
      const bytes = wire(frame);
      bytes[at] = value;
      return bytes;
    }),
  );
  fc.assert(
    fc.property(fc.array(noise, { maxLength: 5 }), (pieces) => {
      try {
        for (const frame of read(pieces.filter((piece) => piece.length))) {
          if (frame.header.length > LIMIT || frame.payload.length > MAX_PAYLOAD_BYTES) {
            throw new Error("over the limit");
          }
        }
      } catch (error) {
        if (!(error instanceof PeerError)) throw error;
      }
    }),
    { numRuns: 2000 },
  );
});

/** The fixed part of a frame that claims more than it brings. */
function claim(kind: number, length: number, header: number): Uint8Array {
  const bytes = new Uint8Array(14), view = new DataView(bytes.buffer);
  view.setUint32(0, length);
  bytes[4] = kind;
  view.setUint32(10, header);
  return bytes;
}

const refused: [string, Uint8Array][] = [
  ["a length of 4 GiB", claim(Kind.REQUEST, 0xffffffff, 0)],
  ["a header of 4 GiB", claim(Kind.REQUEST, 0xffffffff, 0xfffffff0)],
  ["a header that is longer than its frame", claim(Kind.REQUEST, 20, 500)],
  ["a frame that is shorter than its fixed part", claim(Kind.REQUEST, 3, 0)],
  ["a header one byte over the limit", claim(Kind.REQUEST, 10 + LIMIT + 1, LIMIT + 1)],
  ["a payload one byte over the limit", claim(Kind.CHUNK, 10 + MAX_PAYLOAD_BYTES + 1, 0)],
  ["kind 0", claim(0, 10, 0)],
  ["kind 9", claim(9, 10, 0)],
  ["a credit with five bytes", claim(Kind.CREDIT, 15, 0)],
  ["a cancel with a payload", claim(Kind.CANCEL, 11, 0)],
  ["a settle that announces more", claim(Kind.SETTLE | MORE, 10, 0)],
];

for (const [what, bytes] of refused) {
  Deno.test(`FrameReader refuses ${what} before it waits for the rest`, () => {
    assertThrows(() => read([bytes]), PeerError, "frame:");
  });
}

Deno.test("FrameReader holds no more than what has come, whatever length is claimed", () => {
  const readers = Array.from({ length: 200 }, () => new FrameReader(() => 16 << 20));
  const before = Deno.memoryUsage();
  for (const reader of readers) {
    reader.push(claim(Kind.REQUEST, 10 + (16 << 20), 16 << 20), () => {});
    reader.push(new Uint8Array(10), () => {});
  }
  const grown = Deno.memoryUsage().external - before.external;
  assertEquals(grown < 64 << 20, true, `200 claims of 16 MiB took ${grown} bytes`);
});

Deno.test("FrameReader of many connections holds so much of what does not end, and ordinary frames beside it", () => {
  const MIB = 1024 * 1024;
  const begun = concat(encode(Kind.REQUEST, 0, 1, new Uint8Array(16 * MIB))).subarray(0, -1);
  const readers = Array.from({ length: 40 }, () => new FrameReader(() => 16 * MIB));
  const taken: Frame[] = [];
  const pushed = (reader: FrameReader, bytes: Uint8Array) => {
    try {
      for (let at = 0; at < bytes.length; at += 65_536) {
        reader.push(bytes.subarray(at, at + 65_536), (frame) => taken.push(frame));
      }
      return true;
    } catch (error) {
      assertEquals((error as Error).message.startsWith("frame: no room left for "), true);
      // What its connection does.
      reader.end();
      return false;
    }
  };
  const held = readers.filter((reader) => pushed(reader, begun));
  assertEquals([held.length, UNFINISHED.taken <= 64 * MIB], [4, true]);
  const ordinary = encode(Kind.REQUEST, 0, 1, new Uint8Array(65_536), new Uint8Array(262_144));
  assertEquals(pushed(new FrameReader(() => 65_536), concat(ordinary)), true);
  assertEquals(taken.length, 1);
  for (const reader of held) assertEquals(pushed(reader, new Uint8Array(1)), true);
  assertEquals([taken.length, UNFINISHED.taken], [5, 0]);
});
