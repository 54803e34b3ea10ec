import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { type Transport, Wire } from "./wire.ts";

const encoder = new TextEncoder();

class Stub implements Transport {
  written = "";
  takes = true;
  paused = false;
  write(text: string): boolean {
    this.written += text;
    return this.takes;
  }
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }
  end(): void {}
}

function wire(transport: Transport, options: Partial<Wire["options"]> = {}): Wire {
  return new Wire(transport, {
    lineLimit: 512,
    timeoutSeconds: 300,
    perRequest: false,
    minDataRate: 500,
    steady: () => 0,
    ...options,
  });
}

function all(wire: Wire): string[] {
  const lines: string[] = [];
  for (let line = wire.next(); line !== undefined; line = wire.next()) {
    lines.push(wire.tooLong ? "TOO LONG" : line);
  }
  return lines;
}

Deno.test("Wire gives the same lines however the bytes are cut", () => {
  const line = fc.string({ maxLength: 30 }).map((text) => text.replace(/[\r\n]/g, ""));
  fc.assert(
    fc.property(fc.array(line), fc.array(fc.nat(500)), fc.boolean(), (lines, places, late) => {
      const bytes = encoder.encode(lines.map((line) => `${line}\r\n`).join(""));
      const cuts = places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b);
      const tested = wire(new Stub()), found: string[] = [];
      [0, ...cuts].forEach((from, n) => {
        const chunk = bytes.subarray(from, cuts[n] ?? bytes.length);
        if (chunk.length) tested.push(chunk);
        if (!late) found.push(...all(tested));
      });
      assertEquals([...found, ...all(tested)], lines);
    }),
  );
});

Deno.test("Wire drops a line that is too long as it comes, and goes on after it", () => {
  const tested = wire(new Stub());
  for (let n = 0; n < 1000; n++) {
    tested.push(new Uint8Array(1000).fill(97));
    assertEquals(tested.next(), undefined);
    assertEquals(tested.held <= 512, true);
  }
  tested.push(encoder.encode("\r\nNOOP\r\n"));
  assertEquals(all(tested), ["TOO LONG", "NOOP"]);
});

Deno.test("Wire reads lines that end in LF, and tells", () => {
  const tested = wire(new Stub());
  tested.push(encoder.encode("a\nb\r\n\n"));
  assertEquals([tested.next(), tested.bareLf], ["a", true]);
  assertEquals([tested.next(), tested.bareLf], ["b", false]);
  assertEquals([tested.next(), tested.bareLf], ["", true]);
});

Deno.test("Wire decodes UTF-8 and tells what is none", () => {
  const tested = wire(new Stub());
  tested.push(Uint8Array.of(0xc3, 0xa9, 13, 10, 0xc3, 13, 10));
  assertEquals([tested.next(), tested.badUtf8], ["é", false]);
  assertEquals([tested.next(), tested.badUtf8], ["Ã", true]);
});

Deno.test("Wire does not read a client that is not heard, and reads on when it is", () => {
  const stub = new Stub(), tested = wire(stub);
  tested.push(new Uint8Array(70_000));
  assertEquals(stub.paused, true);
  tested.take();
  assertEquals(stub.paused, false);
});

Deno.test("Wire answers no more commands while the client does not read the replies", async () => {
  const stub = new Stub(), tested = wire(stub);
  stub.takes = false;
  tested.push(encoder.encode("NOOP\r\n"));
  tested.write("250 Ok\r\n");
  tested.flush();
  assertEquals(tested.next(), undefined);
  const line = tested.line();
  tested.drained();
  assertEquals(await line, "NOOP");
});

Deno.test("Wire joins the replies of one turn", async () => {
  const stub = new Stub(), tested = wire(stub);
  tested.write("250 a\r\n");
  tested.write("250 b\r\n");
  assertEquals(stub.written, "");
  const line = tested.line();
  assertEquals(stub.written, "250 a\r\n250 b\r\n");
  tested.closed();
  assertEquals(await line, undefined);
});

Deno.test("Wire gives lines that came before the client hung up", async () => {
  const tested = wire(new Stub());
  tested.push(encoder.encode("QUIT\r\nrest"));
  tested.closed();
  assertEquals([await tested.line(), await tested.line()], ["QUIT", undefined]);
});

Deno.test("Wire answers a client that has ended its side, and waits only until it has read", async () => {
  const stub = new Stub(), clock = { time: 0 }, tested = wire(stub, { steady: () => clock.time });
  tested.push(encoder.encode("NOOP\r\nNOOP\r\nrest"));
  tested.ended();
  assertEquals(await tested.line(), "NOOP");
  stub.takes = false;
  tested.write("250 Ok\r\n");
  const line = tested.line();
  tested.drained();
  assertEquals(await line, "NOOP");
  tested.write("250 Ok\r\n");
  const late = tested.line();
  clock.time = 300_000;
  tested.tick(clock.time);
  assertEquals([await late, tested.gone], [undefined, "timeout"]);
  assertEquals(stub.written, "250 Ok\r\n250 Ok\r\n");

  const done = wire(new Stub());
  done.ended();
  assertEquals([await done.ready(), await done.line(), done.gone], [false, undefined, "closed"]);
});

Deno.test("Wire times out a silent client, and each read extends its time", async () => {
  const clock = { time: 0 };
  const tested = wire(new Stub(), { steady: () => clock.time });
  const line = tested.line();
  clock.time = 299_000;
  tested.push(encoder.encode("NO"));
  clock.time = 598_000;
  tested.tick(clock.time);
  assertEquals(tested.gone, undefined);
  clock.time = 599_000;
  tested.tick(clock.time);
  assertEquals([await line, tested.gone], [undefined, "timeout"]);
});

Deno.test("Wire with a deadline per request lets a trickle of bytes not extend it", async () => {
  const clock = { time: 0 };
  const tested = wire(new Stub(), { steady: () => clock.time, perRequest: true });
  const line = tested.line();
  for (clock.time = 0; clock.time < 310_000; clock.time += 1000) {
    tested.push(encoder.encode("x"));
    tested.tick(clock.time);
  }
  assertEquals([await line, tested.gone], [undefined, "timeout"]);
});

Deno.test("Wire gives back what was not content", () => {
  const tested = wire(new Stub());
  tested.push(encoder.encode("content.QUIT\r\n"));
  assertEquals(tested.take().length, 14);
  tested.unread(6);
  assertEquals(tested.next(), "QUIT");
});
