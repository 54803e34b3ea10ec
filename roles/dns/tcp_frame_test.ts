import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { framed, TcpFrame } from "./tcp_frame.ts";
import { worked } from "../../tests/support/work.ts";

/** What TcpFrame says of a stream cut at these places; undefined when it has not ended. */
function unframed(stream: Uint8Array, cuts: readonly number[]): Uint8Array | undefined {
  const frame = new TcpFrame();
  const ends = [...cuts.map((cut) => cut % (stream.length + 1)), stream.length].sort((a, b) =>
    a - b
  );
  let from = 0;
  for (const end of ends) {
    const message = frame.push(stream.subarray(from, end));
    if (message) return message;
    from = end;
  }
  return undefined;
}

const cuts = fc.array(fc.nat(), { maxLength: 20 });

Deno.test("TcpFrame gives back what was framed, however it is cut and whatever follows", () =>
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.uint8Array(), cuts, (sent, more, cuts) => {
      const stream = new Uint8Array([...framed(sent), ...more]);
      assertEquals(unframed(stream, cuts), sent);
    }),
  ));

Deno.test("TcpFrame has no message of any bytes that are fewer than they say", () =>
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), cuts, (stream, cuts) => {
    const said = stream.length < 2 ? Infinity : stream[0]! * 256 + stream[1]!;
    const message = unframed(stream, cuts);
    assertEquals(message?.length, said <= stream.length - 2 ? said : undefined);
  })));

Deno.test("TcpFrame takes the longest message byte by byte, in time", () => {
  const sent = new Uint8Array(65_535).fill(7), stream = framed(sent), frame = new TcpFrame();
  const began = worked();
  for (let at = 0; at < stream.length - 1; at++) {
    assertEquals(frame.push(stream.subarray(at, at + 1)), undefined);
  }
  assertEquals(frame.push(stream.subarray(-1))?.length, sent.length);
  assertEquals(worked() - began < 5000, true);
});
