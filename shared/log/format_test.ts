import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { anyCharacter } from "../../tests/support/hostile.ts";
import { finished, formatJson, formatText, timestamp } from "./format.ts";

const ORIGIN = { process: "postfix/smtpd", pid: 42, hostname: "mail" };

Deno.test("a text line is time, host, process, severity and text", () => {
  assertMatch(
    formatText(ORIGIN, "info", "connect from x[y]"),
    /^[A-Z][a-z]{2} [ 1-3][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2} mail postfix\/smtpd\[42\]: connect from x\[y\]$/,
  );
  for (const severity of ["warning", "error", "fatal", "panic"] as const) {
    assertEquals(
      formatText(ORIGIN, severity, "x").endsWith(`mail postfix/smtpd[42]: ${severity}: x`),
      true,
    );
  }
});

Deno.test("postfix_exporter splits our text lines", () => {
  const pattern =
    / ?(postfix|opendkim)(\/([\w_.+/-]+))?\[\d+\]: ((?:(warning|error|fatal|panic): )?.*)/;
  const [, , , process, , severity] = pattern.exec(formatText(ORIGIN, "warning", "x"))!;
  assertEquals([process, severity], ["smtpd", "warning"]);
});

Deno.test("the day of the month is padded with a space, the time with zeros", () => {
  assertEquals(timestamp(new Date(2026, 10, 1, 2, 3, 4).getTime()), "Nov  1 02:03:04");
  assertEquals(timestamp(new Date(2026, 0, 21, 23, 59, 59).getTime()), "Jan 21 23:59:59");
});

Deno.test("a JSON line has what a text line has, and nothing of the sink's own", () => {
  const origin = { ...ORIGIN, json: true, log: "/run/private/log/s" };
  const { time, ...event } = JSON.parse(formatJson(origin, "warning", 'a "b"'));
  assertEquals(event, {
    hostname: "mail",
    process: "postfix/smtpd",
    pid: 42,
    severity: "warning",
    text: 'a "b"',
  });
  assertEquals(new Date(time).toISOString(), time);
});

Deno.test("the fields of an event are added, and cannot say who logged it", () => {
  const line = formatJson(ORIGIN, "info", "x", { queue_id: "Q", pid: 1, text: "y" });
  const { queue_id, pid, text } = JSON.parse(line);
  assertEquals([queue_id, pid, text], ["Q", 42, "x"]);
});

Deno.test("a JSON line is one that postlogd takes, whatever is in it", () => {
  const worst = formatJson(ORIGIN, "info", '"'.repeat(2003), { more: "x".repeat(10_000) });
  assertEquals(worst.length <= 5000, true);
  assertEquals(JSON.parse(worst).text.length, 2003);
  assertEquals(worst.includes("\n"), false);
});

Deno.test("finished() puts the time at which it was said before each text, and its severity", () => {
  const since = new Date(2026, 10, 1, 2, 3, 4, 999).getTime() * 1000;
  const fields = ["", '{"queue_id":"Q","pid":1,"process":"postfix/smtp"}'];
  const spoken = { lines: ["a", "b"], severities: "iw", fields, since, after: [0, 1000] };
  assertEquals(finished(spoken, ORIGIN, formatText), {
    lines: [
      "Nov  1 02:03:04 mail postfix/smtpd[42]: a",
      "Nov  1 02:03:05 mail postfix/smtpd[42]: warning: b",
    ],
    since,
    after: [0, 1000],
  });
  const { queue_id, ...event } = JSON.parse(finished(spoken, ORIGIN, formatJson).lines[1]!);
  const time = new Date(since / 1000 + 1).toISOString();
  assertEquals([queue_id, event], ["Q", { ...ORIGIN, time, severity: "warning", text: "b" }]);
});

Deno.test("finished() makes one line of each text, in the name of its origin, whatever comes", () => {
  const text = fc.oneof(
    fc.string({ unit: anyCharacter }),
    fc.constant("x\nNov  1 02:03:04 mail postfix/smtp[1]: y"),
  );
  const fields = fc.oneof(
    text,
    fc.json(),
    fc.constantFrom("null", "[1]", '{"__proto__":{"pid":1}}'),
  );
  const time = fc.nat({ max: Number.MAX_SAFE_INTEGER });
  fc.assert(
    fc.property(text, fields, fc.string(), time, time, (line, field, said, since, later) => {
      const spoken = { lines: [line], severities: said, fields: [field], since, after: [later] };
      const [plain] = finished(spoken, ORIGIN, formatText).lines;
      assert(/^.{15} mail postfix\/smtpd\[42\]: .*$/.test(plain!), plain);
      const { process, pid, hostname } = JSON.parse(finished(spoken, ORIGIN, formatJson).lines[0]!);
      assertEquals({ process, pid, hostname }, ORIGIN);
    }),
  );
});
