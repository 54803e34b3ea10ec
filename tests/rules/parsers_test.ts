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
  ["shared/mail/to_7bit.ts", "shared/mail/to_7bit_fuzz_test.ts"],
  ["shared/mail/header.ts", "shared/mail/header_test.ts"],
  ["shared/mail/header_address.ts", "shared/mail/header_address_test.ts"],
  ["shared/maildrop/file_format.ts", "shared/maildrop/file_format_test.ts"],
  ["shared/config/logical_lines.ts", "shared/config/main_cf_test.ts"],
  ["shared/config/main_cf.ts", "shared/config/main_cf_test.ts"],
  ["shared/config/master_cf.ts", "shared/config/master_cf_test.ts"],
  ["shared/config/expand.ts", "shared/config/expand_test.ts"],
  ["shared/table/rules.ts", "shared/table/pattern_test.ts"],
  ["shared/table/texthash.ts", "shared/table/texthash_test.ts"],
  ["roles/bounce/original.ts", "roles/bounce/original_test.ts"],
  ["roles/cleanup/header_section.ts", "roles/cleanup/submit_test.ts"],
  ["roles/cleanup/members.ts", "roles/cleanup/members_test.ts"],
  ["roles/dns/packet.ts", "roles/dns/packet_test.ts"],
  ["roles/dns/interpret.ts", "roles/dns/packet_test.ts"],
  ["roles/smtpd/bdat.ts", "roles/smtpd/session_fuzz_test.ts"],
  ["roles/smtpd/commands.ts", "roles/smtpd/session_fuzz_test.ts"],
  ["roles/smtpd/end_of_data.ts", "roles/smtpd/end_of_data_test.ts"],
  ["roles/smtpd/esmtp.ts", "roles/smtpd/esmtp_test.ts"],
  ["roles/smtpd/first_line.ts", "roles/smtpd/first_line_test.ts"],
  ["roles/smtpd/wire.ts", "roles/smtpd/wire_test.ts"],
  ["roles/smtp/body.ts", "roles/smtp/body_test.ts"],
  ["roles/smtp/features.ts", "roles/smtp/features_test.ts"],
  ["roles/dns/hosts.ts", "roles/dns/hosts_test.ts"],
  ["roles/dns/tcp_frame.ts", "roles/dns/tcp_frame_test.ts"],
  ["roles/virtual/find_mailbox.ts", "roles/virtual/find_mailbox_test.ts"],
  ["roles/virtual/text.ts", "roles/virtual/text_test.ts"],
  ["roles/postlogd/syslog.ts", "roles/postlogd/postlogd_test.ts"],
  ["roles/supervisor/host.ts", "roles/supervisor/host_test.ts"],
  ["roles/supervisor/listeners.ts", "roles/supervisor/listeners_test.ts"],
  ["roles/supervisor/role_stderr.ts", "roles/supervisor/role_stderr_test.ts"],
  ["roles/commands/full_name.ts", "roles/commands/input_test.ts"],
  ["roles/commands/input_lines.ts", "roles/commands/input_test.ts"],
  ["roles/commands/postconf.ts", "roles/commands/input_test.ts"],
  ["roles/commands/postlog.ts", "roles/commands/input_test.ts"],
  ["roles/commands/postqueue.ts", "roles/commands/queue_input_test.ts"],
  ["roles/commands/postsuper.ts", "roles/commands/queue_input_test.ts"],
  ["roles/commands/queue_access.ts", "roles/commands/queue_input_test.ts"],
  ["roles/commands/sendmail_header.ts", "roles/commands/sendmail_test.ts"],
  ["roles/commands/sendmail_options.ts", "roles/commands/sendmail_test.ts"],
  ["roles/commands/sendmail_smtp.ts", "roles/commands/sendmail_smtp_test.ts"],
  ["roles/commands/sendmail_smtp_input.ts", "roles/commands/sendmail_smtp_test.ts"],
  ["policies/grant.ts", "policies/routes_test.ts"],
  ["policies/settings.ts", "policies/routes_test.ts"],
  ["shared/config/inet_name.ts", "shared/config/inet_name_test.ts"],
  ["shared/config/configuration.ts", "shared/config/configuration_test.ts"],
  ["shared/ipc/check.ts", "shared/ipc/check_test.ts"],
  ["shared/log/format.ts", "shared/log/format_test.ts"],
  ["shared/log/printable.ts", "shared/log/printable_test.ts"],
  ["shared/maildrop/address_list.ts", "shared/maildrop/address_list_test.ts"],
  ["shared/maildrop/drop.ts", "shared/maildrop/drop_test.ts"],
  ["shared/net/hostname.ts", "shared/net/hostname_test.ts"],
  ["shared/net/network.ts", "shared/net/network_list_test.ts"],
  ["shared/net/network_list.ts", "shared/net/network_list_test.ts"],
  ["shared/net/nexthop.ts", "shared/net/nexthop_test.ts"],
  ["shared/parameters/declare.ts", "shared/parameters/declare_test.ts"],
  ["shared/parameters/mod.ts", "shared/parameters/mod_test.ts"],
  ["shared/parameters/parsers.ts", "shared/parameters/parsers_test.ts"],
  ["shared/parameters/qmgr.ts", "shared/parameters/parsers_test.ts"],
  ["shared/parameters/restrictions.ts", "shared/parameters/restrictions_test.ts"],
  ["shared/parameters/split_list.ts", "shared/parameters/declare_test.ts"],
  ["shared/queue/record.ts", "shared/queue/record_test.ts"],
  ["shared/smtp/forbidden_commands.ts", "shared/smtp/forbidden_commands_test.ts"],
  ["shared/smtp/keyword.ts", "shared/smtp/keyword_test.ts"],
  ["shared/table/cidr.ts", "shared/table/hostile_test.ts"],
  ["shared/table/results.ts", "shared/table/hostile_test.ts"],
  ["shared/table/spec.ts", "shared/table/hostile_test.ts"],
  ["shared/table/match_list.ts", "shared/table/hostile_test.ts"],
  ["shared/table/pattern.ts", "shared/table/hostile_test.ts"],
  ["shared/table/posix_pattern.ts", "shared/table/hostile_test.ts"],
  ["shared/table/simple.ts", "shared/table/hostile_test.ts"],
]);

/** What looks like a parser, and reads only our own text, a developer's, or what a parser has made. */
const NOT_FOREIGN = new Map([
  ["policies/probe.ts", "arguments of the probes that policies/attempts.ts lists"],
  ["roles/bounce/fold.ts", "writes: report() is held by roles/bounce/report_message_test.ts"],
  [
    "roles/bounce/delivery_status.ts",
    "writes: report() is held by roles/bounce/report_message_test.ts",
  ],
  ["roles/commands/command_log.ts", "the host's name, after shared/config"],
  ["roles/commands/compile.ts", "what deno compile prints"],
  ["roles/commands/role.ts", "a developer's command line"],
  ["roles/commands/role_answers.ts", "stubs for a developer"],
  ["roles/commands/role_stubs.ts", "shows values to a developer"],
  ["roles/commands/role_talk.ts", "what a developer types"],
  ["roles/dns/resolver.ts", "name servers, after policies/grant.ts"],
  ["roles/rewrite/lookup.ts", "an address, by shared/mail/address.ts"],
  ["roles/smtp/session.ts", "the first word of a reply, after shared/smtp/reply_parser.ts"],
  ["roles/smtpd/settings.ts", "the extensions that smtpd itself offers"],
  ["roles/supervisor/every_problem.ts", "messages of our own, and lists after shared/parameters"],
  ["roles/supervisor/main.ts", "the host's name, after shared/config"],
  [
    "roles/supervisor/network_files.ts",
    "files of networks, by split_list.ts, network_list.ts, cidr.ts",
  ],
  ["roles/supervisor/changeable_link.ts", "paths and links, for how they are divided"],
  ["roles/supervisor/plans.ts", "the host's name, after shared/config"],
  ["roles/supervisor/stop_point.ts", "what a test asks for"],
  ["roles/supervisor/tls_material.ts", "the administrator's own keys, by OpenSSL"],
  ["shared/parameters/bounce.ts", "a list of its own"],
  ["shared/parameters/virtual.ts", "whether two lists of main.cf are one number each"],
  ["shared/queue/queue_space.ts", "SQL of its own"],
  ["shared/queue/sqlite_reader.ts", "rows of our own database, by record.ts"],
  ["shared/queue/sqlite_schema.ts", "SQL of its own"],
  ["shared/queue/sqlite_store.ts", "SQL of its own, and rows by record.ts"],
  ["shared/role/confine.ts", "permissions that the supervisor computed"],
  ["shared/queue/segments.ts", "the names of its own files"],
]);

/** By its name, or by what it does to text: whatever makes values of text is listed here. */
const LOOKS_LIKE_ONE = [
  /^export (async )?(function\*? (parse|decode|read[A-Z]|split)\w*|class \w*(Parser|Reader|Decoder)\b)/m,
  /\.(split|match|matchAll|exec)\(|\bJSON\.parse\(/,
];

/** The project's copies of standard packages. */
const OURS = (path: string) => !path.startsWith("shared/std/");

Deno.test("each module that parses is listed with its property test, or with why it needs none", () => {
  none(
    product.filter(({ path, code }) =>
      OURS(path) && LOOKS_LIKE_ONE.some((sign) => sign.test(code)) && !PARSERS.has(path) &&
      !NOT_FOREIGN.has(path)
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
