/** Every parser of foreign bytes has a property test (STYLE C19). */

import { none, product, sources } from "./sources.ts";

/** Parsers and the test that throws anything at them. */
const PARSERS = new Map([
  ["shared/ipc/frame.ts", "shared/ipc/frame_test.ts"],
  ["shared/ipc/failure.ts", "shared/ipc/hostile_test.ts"],
  ["shared/role/control_messages.ts", "shared/role/control_messages_test.ts"],
  ["shared/smtp/reply_parser.ts", "shared/smtp/reply_parser_test.ts"],
  ["shared/mail/address_parse.ts", "shared/mail/address_test.ts"],
  ["shared/mail/address.ts", "shared/mail/address_test.ts"],
  ["shared/mail/content_type.ts", "shared/mail/content_type_test.ts"],
  ["shared/mail/status_text.ts", "shared/mail/status_text_test.ts"],
  ["shared/mail/to_7bit.ts", "shared/mail/to_7bit_test.ts"],
  ["shared/mail/header.ts", "shared/mail/header_test.ts"],
  ["shared/mail/header_address.ts", "shared/mail/header_address_test.ts"],
  ["shared/maildrop/file_format.ts", "shared/maildrop/file_format_test.ts"],
  ["shared/config/main_cf.ts", "shared/config/main_cf_test.ts"],
  ["shared/config/master_cf.ts", "shared/config/master_cf_test.ts"],
  ["shared/config/expand.ts", "shared/config/expand_test.ts"],
  ["shared/table/rules.ts", "shared/table/pattern_test.ts"],
  ["shared/table/text.ts", "shared/table/text_test.ts"],
  ["roles/bounce/original.ts", "roles/bounce/original_test.ts"],
  ["roles/cleanup/head.ts", "roles/cleanup/submit_test.ts"],
  ["roles/dns/packet.ts", "roles/dns/packet_test.ts"],
  ["roles/dns/interpret.ts", "roles/dns/packet_test.ts"],
  ["roles/smtpd/bdat.ts", "roles/smtpd/session_fuzz_test.ts"],
  ["roles/smtpd/commands.ts", "roles/smtpd/session_fuzz_test.ts"],
  ["roles/smtpd/end_of_data.ts", "roles/smtpd/end_of_data_test.ts"],
  ["roles/smtpd/esmtp.ts", "roles/smtpd/esmtp_test.ts"],
  ["roles/smtpd/first_line.ts", "roles/smtpd/first_line_test.ts"],
  ["roles/smtpd/wire.ts", "roles/smtpd/wire_test.ts"],
  ["roles/smtp/body.ts", "roles/smtp/body_test.ts"],
  ["shared/net/nexthop.ts", "shared/net/nexthop_test.ts"],
]);

/** What reads only our own configuration or our own data, and looks like a parser by its name. */
const NOT_FOREIGN = new Map([
  ["roles/commands/sendmail_options.ts", "the user's own command line"],
  ["roles/dns/resolver.ts", "name servers that the configuration names"],
  ["roles/rewrite/lookup.ts", "addresses that were parsed before"],
  ["roles/supervisor/network_files.ts", "files that mynetworks names"],
  ["roles/supervisor/tls_material.ts", "the administrator's own keys"],
  ["roles/supervisor/host.ts", "/etc/passwd and the host's facts"],
  ["shared/parameters/declare.ts", "main.cf values, after shared/config"],
  ["shared/parameters/parsers.ts", "main.cf values, after shared/config"],
  ["shared/parameters/split_list.ts", "main.cf values, after shared/config"],
  ["shared/parameters/mod.ts", "parameter names, after shared/config"],
  ["shared/queue/sqlite_reader.ts", "our own database, by SQLite's parser"],
  ["shared/net/network.ts", "networks of tables and main.cf"],
]);

const LOOKS_LIKE_ONE =
  /^export (async )?(function\*? (parse|decode|read[A-Z]|split)\w*|class \w*(Parser|Reader|Decoder)\b)/m;

Deno.test("each module that parses is listed with its property test, or with why it needs none", () => {
  none(
    product.filter(({ path, code }) =>
      LOOKS_LIKE_ONE.test(code) && !PARSERS.has(path) && !NOT_FOREIGN.has(path)
    ).map(({ path }) => path),
    "Write a fast-check test and list both in PARSERS, or say in NOT_FOREIGN whose bytes it reads:",
  );
});

Deno.test("each listed parser and its property test exist", () => {
  const texts = new Map(sources.map(({ path, text }) => [path, text]));
  const offences = [...PARSERS].flatMap(([parser, test]) => {
    if (!texts.has(parser)) return [`${parser} does not exist`];
    return texts.get(test)?.includes("fc.assert(")
      ? []
      : [`${test} has no fc.assert for ${parser}`];
  });
  none(
    [...offences, ...[...NOT_FOREIGN.keys()].filter((path) => !texts.has(path))],
    "Correct the list:",
  );
});
