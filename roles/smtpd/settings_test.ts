import { assertEquals, assertThrows } from "@std/assert";
import { ConfigError } from "../../shared/errors.ts";
import { stubSettings } from "../../tests/dialogs/memory.ts";

const open = "in parameter smtpd_relay_restrictions or smtpd_recipient_restrictions, specify at " +
  "least one working instance of: reject_unauth_destination, defer_unauth_destination, reject, defer, defer_if_permit";

const rows: [reason: string, texts: Record<string, string>, error: string][] = [
  ["an open relay", { smtpd_relay_restrictions: "" }, open],
  ["an open relay with permit", { smtpd_relay_restrictions: "permit_mynetworks permit" }, open],
  ["an open relay that only warns", {
    smtpd_relay_restrictions: "warn_if_reject reject_unauth_destination",
  }, open],
  ["a restriction that is not built", {
    smtpd_client_restrictions: "reject_rbl_client dnsbl.example",
  }, 'smtpd_client_restrictions: restriction "reject_rbl_client" is not built yet'],
  ["another that is not built", {
    smtpd_recipient_restrictions: "check_policy_service unix:x",
  }, 'smtpd_recipient_restrictions: restriction "check_policy_service" is not built yet'],
  [
    "an access table",
    {
      smtpd_sender_restrictions: "hash:/etc/postfix/access",
    },
    'smtpd_sender_restrictions: restriction "hash:/etc/postfix/access": access tables are not built yet',
  ],
  ["a name that nobody knows", {
    smtpd_data_restrictions: "reject_mondays",
  }, 'smtpd_data_restrictions: unknown smtpd restriction: "reject_mondays"'],
  ["__proto__", { smtpd_data_restrictions: "__proto__" }, 'unknown smtpd restriction: "__proto__"'],
  ["warn_if_reject with nothing to warn of", {
    smtpd_data_restrictions: "warn_if_reject",
  }, "smtpd_data_restrictions: warn_if_reject needs a restriction after it"],
  ["sleep without seconds", { smtpd_data_restrictions: "sleep" }, "sleep needs an argument"],
  ["sleep with a word", { smtpd_data_restrictions: "sleep long" }, "sleep needs seconds"],
  ["TLS demanded without a certificate", {
    smtpd_tls_security_level: "encrypt",
  }, "smtpd_tls_security_level: encrypt needs smtpd_tls_chain_files"],
  ["TLS from the first byte without a certificate", {
    smtpd_tls_wrappermode: "yes",
  }, "smtpd_tls_wrappermode: yes needs smtpd_tls_chain_files"],
  ["mynetworks_style = subnet without mynetworks", {
    mynetworks_style: "subnet",
  }, "mynetworks_style: only host is supported"],
  ["a forbidden pattern that does not compile", {
    smtpd_forbidden_commands: "regexp:{{/(/ Bogus}}",
  }, "smtpd_forbidden_commands"],
];

for (const [reason, texts, error] of rows) {
  Deno.test(`settings() refuses ${reason}`, () => {
    assertThrows(() => stubSettings(texts), ConfigError, error);
  });
}

Deno.test("settings() takes the safety net from the recipient list too", () => {
  const texts = {
    smtpd_relay_restrictions: "",
    smtpd_recipient_restrictions: "permit_mynetworks, reject_unauth_destination",
  };
  assertEquals(stubSettings(texts).lists.recipient.length, 2);
});

Deno.test("settings() forbids words and patterns in any case", () => {
  const { isForbidden } = stubSettings();
  assertEquals(["get", "CONNECT", "\x16\x03"].map(isForbidden), [true, true, true]);
  assertEquals(["FOO", "getx"].map(isForbidden), [false, false]);
});

Deno.test("settings() offers SIZE without a number when there is no limit", () => {
  const { ehloReply } = stubSettings({ message_size_limit: "0" });
  assertEquals(ehloReply(false).lines[2], "SIZE");
});

Deno.test("settings() takes the addresses of inet_interfaces for a part of the default mynetworks alone", () => {
  const inside = (texts: Record<string, string>) =>
    stubSettings({ inet_interfaces: "192.0.2.1, 127.0.0.1", ...texts }).mynetworks("192.0.2.1");
  assertEquals([inside({}), inside({ mynetworks: "127.0.0.0/8" })], [true, false]);
});
