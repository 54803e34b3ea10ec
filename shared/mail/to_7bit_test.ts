import { assert, assertEquals } from "@std/assert";
import { convert, decodeQuoted, LIMITS, lines } from "./test_to_7bit.ts";

Deno.test("To7Bit makes an 8-bit body quoted-printable, and says so", () => {
  assertEquals(
    convert(lines(
      "Subject: x",
      "Content-Transfer-Encoding: 8bit",
      "Content-Type: text/plain; charset=utf-8",
      "",
      "caf\xc3\xa9 = 1 ",
      "-- ",
      ".",
    )),
    lines(
      "Subject: x",
      "Content-Type: text/plain; charset=utf-8",
      "Content-Transfer-Encoding: quoted-printable",
      "",
      "caf=C3=A9 =3D 1=20",
      "=2D-=20",
      ".",
    ),
  );
});

Deno.test("To7Bit converts each 8-bit part, and the multipart around says 7bit", () => {
  assertEquals(
    convert(lines(
      "Content-Type: multipart/mixed;",
      '\tboundary="b 1"',
      "content-transfer-encoding: 8BIT (eight)",
      "",
      "pre\xe4mble",
      "--b 1",
      "",
      "plain --b 1",
      "--b 1x",
      "--b 1  ",
      "Content-Transfer-Encoding: binary",
      "",
      "\xe4",
      "--b 1--",
      "epilogue\xe4",
    )),
    lines(
      "Content-Type: multipart/mixed;",
      '\tboundary="b 1"',
      "Content-Transfer-Encoding: 7bit",
      "",
      "pre?mble",
      "--b 1",
      "",
      "plain --b 1",
      "--b 1x",
      "--b 1  ",
      "Content-Transfer-Encoding: quoted-printable",
      "",
      "=E4",
      "--b 1--",
      "epilogue?",
    ),
  );
});

/** A multipart of the header line `type`, with one 8-bit part between `boundaries`. */
const multipart = (type: string, boundaries: readonly [string, string], before: string[] = []) =>
  lines(
    type,
    "Content-Transfer-Encoding: 8BIT (eight)",
    "",
    ...before,
    boundaries[0],
    "Content-Transfer-Encoding: 8bit",
    "",
    "\xe4",
    boundaries[1],
  );

/** The same with quoted-printable. */
const convertedPart = (text: string) =>
  text.replace(": 8BIT (eight)", ": 7bit").replace(": 8bit", ": quoted-printable")
    .replace("\xe4", "=E4");

for (const boundary of ["----=_NextPart_000_0001", "a/b:c?d@e", "\x80\x9f"]) {
  Deno.test(`To7Bit finds the boundary ${JSON.stringify(boundary)}, which is against the rules`, () => {
    const type = `Content-Type: multipart/mixed; boundary=${boundary}`;
    const text = multipart(type, [`--${boundary}`, `--${boundary}--`]);
    assertEquals(convert(text), convertedPart(text));
  });
}

for (
  const [why, boundaries, type = "Content-Type: multipart/mixed; boundary=b"] of [
    ["never comes", ["--c", "--c--"]],
    ["comes at the end only", ["c", "--b--"]],
    ["is missing", ["--b", "--b--"], "Content-Type: multipart/mixed"],
  ] as const
) {
  Deno.test(`To7Bit touches nothing of a multipart whose boundary ${why}`, () => {
    const text = multipart(type, boundaries) + lines("\xfc");
    assertEquals(convert(text), text);
    const around = ["Content-Type: multipart/mixed; boundary=outer", "", "--outer"];
    const nested = lines(...around) + text + lines("--outer--");
    assertEquals(convert(nested), nested);
  });
}

Deno.test("To7Bit waits no longer than for 16 KB of text before the first part", () => {
  const type = "Content-Type: multipart/mixed; boundary=b";
  const before = (count: number) =>
    multipart(type, ["--b", "--b--"], Array(count).fill("pre\xe4mble"));
  const short = before(1600), long = before(1700);
  assertEquals(convert(short), convertedPart(short.replaceAll("pre\xe4mble", "pre?mble")));
  assertEquals(convert(long, LIMITS, [1000, 15_000, 500, 3000]), convert(long));
  const at = long.indexOf("--b\r\n");
  assertEquals(convert(long), long.slice(0, at) + convertedPart(long.slice(at)));
});

Deno.test("To7Bit looks into a message that is a part", () => {
  assertEquals(
    convert(lines(
      "Content-Type: message/rfc822",
      "Content-Transfer-Encoding: 8bit",
      "",
      "Subject: inner",
      "Content-Transfer-Encoding: 8bit",
      "",
      "\xe4",
    )),
    lines(
      "Content-Type: message/rfc822",
      "Content-Transfer-Encoding: 7bit",
      "",
      "Subject: inner",
      "Content-Transfer-Encoding: quoted-printable",
      "",
      "=E4",
    ),
  );
});

Deno.test("To7Bit takes parts of a digest for messages where they do not say otherwise", () => {
  const digest = (outer: string, label: string[], message: string, text: string) =>
    lines(
      "Content-Type: Multipart/Digest; boundary=d",
      `Content-Transfer-Encoding: ${outer}`,
      "",
      "--d",
      ...label,
      "",
      "Subject: inner",
      "Content-Type: multipart/mixed; boundary=m",
      "",
      "--m",
      `Content-Transfer-Encoding: ${text}`,
      "",
      message,
      "--m--",
      "--d",
      "",
      `Content-Transfer-Encoding: ${text}`,
      "",
      message,
      "--d",
      "Content-Type: text/plain",
      `Content-Transfer-Encoding: ${text}`,
      "",
      message,
      "--d--",
    );
  const label = (encoding: string) => [`Content-Transfer-Encoding: ${encoding}`];
  for (const [before, after] of [[[], []], [label("8bit"), label("7bit")]] as const) {
    assertEquals(
      convert(digest("8bit", [...before], "\xe4", "8bit")),
      digest("7bit", [...after], "=E4", "quoted-printable"),
    );
  }
});

for (
  const [why, text] of [
    ["a message without MIME headers", lines("Subject: x", "", "\xe4")],
    ["a part that says 7bit", lines("Content-Transfer-Encoding: 7bit", "", "a=b ", "--x")],
    ["a base64 part", lines("Content-Transfer-Encoding: base64", "", "YQ==")],
    ["no text at all", ""],
    ["a header without a body", lines("Subject: x")],
    ["a body without a header", lines(" text", "Content-Transfer-Encoding: 8bit", "", "\xe4")],
  ] as const
) {
  Deno.test(`To7Bit leaves ${why} alone`, () => assertEquals(convert(text), text));
}

Deno.test("To7Bit puts an empty line before a body that has begun without one", () => {
  assertEquals(
    convert(lines("Content-Transfer-Encoding: 8bit", "no header \xe4")),
    lines("Content-Transfer-Encoding: quoted-printable", "", "no header =E4"),
  );
});

Deno.test("To7Bit takes nothing for a header of a message that has begun without an empty line", () => {
  const text = lines(
    "Content-Type: message/rfc822",
    "no header",
    "Content-Transfer-Encoding: 8bit",
    "",
    "\xe4",
  );
  assertEquals(convert(text), text);
});

Deno.test("To7Bit ends an inner multipart at the boundary of the outer one", () => {
  const text = lines(
    "Content-Type: multipart/mixed; boundary=outer",
    "",
    "--outer",
    "Content-Type: multipart/mixed; boundary=inner",
    "",
    "--inner",
    "Content-Transfer-Encoding: 8bit",
    "",
    "\xe4",
    "--outer",
    "",
    "--inner",
    "Content-Transfer-Encoding: 8bit",
    "--outer--",
  );
  assertEquals(convert(text), text.replace("8bit", "quoted-printable").replace("\xe4", "=E4"));
});

Deno.test("To7Bit looks no deeper than mime_nesting_limit", () => {
  let text = "";
  for (let i = 0; i < 10_000; i++) {
    text += lines(`Content-Type: multipart/mixed; boundary=b${i}`, "", `--b${i}`);
  }
  text += lines("Content-Transfer-Encoding: 8bit", "", "\xe4");
  assertEquals(convert(text), text);
});

Deno.test("To7Bit tells boundaries apart by mime_boundary_length_limit bytes", () => {
  const text = lines(
    `Content-Type: multipart/mixed; boundary=${"x".repeat(20)}`,
    "",
    `--${"x".repeat(10)}yyy`,
    "Content-Transfer-Encoding: 8bit",
    "",
    "\xe4",
  );
  assertEquals(convert(text), text);
  assertEquals(
    convert(text, { nesting: 100, boundaryBytes: 10 }),
    text.replace("8bit", "quoted-printable").replace("\xe4", "=E4"),
  );
});

Deno.test("To7Bit passes a field of a megabyte on, and a line of a megabyte in pieces", () => {
  const field = lines(`Content-Type: text/plain; x="${"y".repeat(1 << 20)}"`);
  const head = field + lines("Content-Transfer-Encoding: 8bit", "");
  const body = "\xe4".repeat(1 << 20) + "\r\n";
  const cuts = Array.from({ length: 40 }, () => 64 * 1024);
  const out = convert(head + body, LIMITS, cuts);
  assert(out.startsWith(field + "Content-Transfer-Encoding: quoted-printable\r\n\r\n=E4=E4"));
  assertEquals(decodeQuoted(out.slice(out.indexOf("\r\n\r\n") + 4)), body);
});

for (
  const [what, fields, body, converted] of [
    ["8bit and then base64", ["8bit", "base64"], "\u00e9", ["quoted-printable", "=E9"]],
    ["base64 and then 8bit", ["base64", "8bit"], "6Q==", ["base64", "6Q=="]],
  ] as const
) {
  Deno.test(`of ${what} the first encoding counts, as it does for readers`, () => {
    const head = fields.map((each) => `Content-Transfer-Encoding: ${each}\r\n`).join("");
    const text = convert(`${head}\r\n${body}\r\n`);
    const [encoding, encoded] = converted;
    assertEquals(text.split("\r\n")[0], `Content-Transfer-Encoding: ${encoding}`);
    assertEquals(text.split("\r\n\r\n")[1], `${encoded}\r\n`);
  });
}

for (
  const [field, encoding] of [
    ["(a comment (in it)) 8bit", "quoted-printable"],
    ["\r\n\t8BIT (x)", "quoted-printable"],
    ["8bit-foo", "8bit-foo"],
    ["(8bit)", "(8bit)"],
  ] as const
) {
  Deno.test(`To7Bit makes ${encoding} of the encoding ${JSON.stringify(field)}`, () => {
    const text = convert(`Content-Transfer-Encoding: ${field}\r\n\r\n\u00e9\r\n`);
    assertEquals(text.split("\r\n")[0], `Content-Transfer-Encoding: ${encoding}`);
  });
}
