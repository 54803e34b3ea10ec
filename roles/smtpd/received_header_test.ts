import { assertEquals } from "@std/assert";
import { mailDate } from "../../shared/mail/date.ts";
import { type Hop, received } from "./received_header.ts";

const hop: Hop = {
  helo: "client.example",
  clientName: "unknown",
  clientAddress: "2001:db8::1",
  hostname: "mail.test",
  mailName: "Postern",
  protocol: "ESMTPS",
  queueId: "Q",
  recipient: "a b@here.test",
  tls: { protocol: "TLSv1.3", cipher: "X", bits: 256 },
  arrived: 0,
};

Deno.test("received() tells who, how and for whom", () => {
  assertEquals(
    received(hop),
    "Received: from client.example (unknown [IPv6:2001:db8::1])\r\n" +
      "\t(using TLSv1.3 with cipher X (256/256 bits))\r\n" +
      "\tby mail.test (Postern) with ESMTPS id Q\r\n" +
      `\tfor <"a b"@here.test>; ${mailDate(0)}\r\n`,
  );
});

Deno.test("received() names no recipient when there are several", () => {
  assertEquals(
    received({ ...hop, tls: undefined, recipient: undefined, helo: "" }),
    "Received: from unknown (unknown [IPv6:2001:db8::1])\r\n" +
      `\tby mail.test (Postern) with ESMTPS id Q;\r\n\t${mailDate(0)}\r\n`,
  );
});
