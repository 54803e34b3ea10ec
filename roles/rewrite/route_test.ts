import { assertEquals } from "@std/assert";
import { ALIAS, HOME, MAILBOX, RELAY, resolved } from "./testing.ts";

type Case = [why: string, address: string, expected: string, texts?: Record<string, string>];

const GATE = { relayhost: "[gate.example]:587" };
const routes: Case[] = [
  ["relayhost", "u@other.example", "default smtp:[gate.example]:587 u@other.example", GATE],
  ["relayhost for relay", "u@relay.example", "relay relay:[gate.example]:587 u@relay.example", {
    ...GATE,
    ...RELAY,
  }],
  ["relayhost not at home", "u@example.com", `local ${HOME} u@example.com`, GATE],
  ["relayhost not for mailboxes", "u@box.example", "virtual virtual:box.example u@box.example", {
    ...GATE,
    ...MAILBOX,
  }],
  [
    "default_transport beats relayhost",
    "u@other.example",
    "default smtp:[other.gate] u@other.example",
    {
      ...GATE,
      default_transport: "smtp:[other.gate]",
    },
  ],
  [
    "relay_transport beats relayhost",
    "u@relay.example",
    "relay lmtp:inet:host:24 u@relay.example",
    {
      ...GATE,
      ...RELAY,
      relay_transport: "lmtp:inet:host:24",
    },
  ],
  ["transport_maps by address", "u@other.example", "default slow:here u@other.example", {
    transport_maps: "inline:{ u@other.example=slow:here, other.example=no:no, *=no:no }",
  }],
  [
    "transport_maps by address with extension",
    "u+x@other.example",
    "default a:a u+x@other.example",
    {
      recipient_delimiter: "+",
      transport_maps: "inline:{ u+x@other.example=a:a, u@other.example=b:b }",
    },
  ],
  [
    "transport_maps by address without extension",
    "u+y@other.example",
    "default b:b u+y@other.example",
    {
      recipient_delimiter: "+",
      transport_maps: "inline:{ u+x@other.example=a:a, u@other.example=b:b, other.example=c:c }",
    },
  ],
  ["transport_maps by domain", "u@Other.Example", "default smtp:[mx.example]:25 u@Other.Example", {
    transport_maps: "inline:{ other.example=smtp:[mx.example]:25 }",
  }],
  ["transport_maps by parent", "u@a.b.example", "default p:a.b.example u@a.b.example", {
    transport_maps: "inline:{ .b.example=p:, .example=q: }",
  }],
  [
    "transport_maps by parent, without dots",
    "u@a.b.example",
    "default p:a.b.example u@a.b.example",
    {
      transport_maps: "inline:{ b.example=p:, example=q: }",
      parent_domain_matches_subdomains: "transport_maps",
    },
  ],
  ["transport_maps by *", "u@other.example", "default any:[hop] u@other.example", {
    transport_maps: "inline:{ *=any:[hop] }",
  }],
  [
    "transport_maps, the transport alone, cancels relayhost",
    "u@other.example",
    "default smtp:other.example u@other.example",
    {
      ...GATE,
      transport_maps: "inline:{ other.example=smtp: }",
    },
  ],
  ["transport_maps, the next hop alone", "u@other.example", "default smtp:[hop] u@other.example", {
    ...GATE,
    transport_maps: "inline:{ other.example=:[hop] }",
  }],
  [
    "transport_maps, a colon alone",
    "u@other.example",
    "default smtp:[gate.example]:587 u@other.example",
    {
      ...GATE,
      transport_maps: "inline:{ other.example=: }",
    },
  ],
  ["transport_maps at home", "u@example.com", "local lmtp:unix:/run/lmtp u@example.com", {
    transport_maps: "inline:{ example.com=lmtp:unix:/run/lmtp }",
  }],
  [
    "transport_maps not for aliases",
    "u@alias.example",
    "alias error:5.1.1 User unknown in virtual alias table u@alias.example",
    {
      ...ALIAS,
      transport_maps: "inline:{ alias.example=a:b, *=c:d }",
    },
  ],
  [
    "transport_maps to error",
    "u@other.example",
    "default error:5.7.1 no mail for you u@other.example",
    {
      transport_maps: "inline:{ { other.example = error:5.7.1 no mail for you } }",
    },
  ],
  ["transport_maps with a quoted key", "a b@other.example", "default q:hop a b@other.example", {
    transport_maps: 'inline:{ { "a b"@other.example = q:hop } }',
  }],
  [
    "relocated_maps",
    "u@example.com",
    "local error:5.1.6 User has moved to new@other.example u@example.com",
    {
      relocated_maps: "inline:{ u@example.com=new@other.example }",
    },
  ],
  [
    "relocated_maps by bare user",
    "u@example.com",
    "local error:5.1.6 User has moved to x u@example.com",
    {
      relocated_maps: "inline:{ u=x }",
    },
  ],
  [
    "relocated_maps, no bare user elsewhere",
    "u@other.example",
    "default smtp:other.example u@other.example",
    {
      relocated_maps: "inline:{ u=x }",
    },
  ],
  [
    "relocated_maps by domain, without prefix",
    "u@other.example",
    "default error:5.1.6 gone u@other.example",
    {
      relocated_maps: "inline:{ { @other.example = 5.1.6 gone } }",
      relocated_prefix_enable: "no",
    },
  ],
];

for (const [why, address, expected, texts] of routes) {
  Deno.test(`resolve() routes by ${why}`, () => {
    assertEquals(resolved(address, texts), expected);
  });
}

const SENDERS = {
  ...GATE,
  ...RELAY,
  sender_dependent_relayhost_maps:
    "inline:{ a@s.example=[a.gate], @s.example=[s.gate], <>=[null.gate], d@s.example=DUNNO, " +
    "bare=[bare.gate] }",
  recipient_delimiter: "+",
  sender_dependent_default_transport_maps:
    "inline:{ t@s.example=slow, @t.example=tor:[tor.gate], <>=bounces: , d@t.example=dunno }",
};
const senders: [sender: string, address: string, expected: string][] = [
  ["a@s.example", "u@o.example", "default smtp:[a.gate] u@o.example"],
  ["b@s.example", "u@o.example", "default smtp:[s.gate] u@o.example"],
  ["b@s.example", "u@relay.example", "relay relay:[s.gate] u@relay.example"],
  ["d@s.example", "u@o.example", "default smtp:[gate.example]:587 u@o.example"],
  ["x@x.example", "u@o.example", "default smtp:[gate.example]:587 u@o.example"],
  ["", "u@o.example", "default bounces:[null.gate] u@o.example"],
  ["t@s.example", "u@o.example", "default slow:[s.gate] u@o.example"],
  ["x@t.example", "u@o.example", "default tor:[tor.gate] u@o.example"],
  ["d@t.example", "u@o.example", "default smtp:[gate.example]:587 u@o.example"],
  ["x@t.example", "u@relay.example", "relay relay:[gate.example]:587 u@relay.example"],
  ["a+x@s.example", "u@o.example", "default smtp:[a.gate] u@o.example"],
  ["bare@example.com", "u@o.example", "default smtp:[bare.gate] u@o.example"],
  ["bare+x@example.com", "u@o.example", "default smtp:[bare.gate] u@o.example"],
  ["bare@x.example", "u@o.example", "default smtp:[gate.example]:587 u@o.example"],
  ["a@s.example", "u@example.com", `local ${HOME} u@example.com`],
];
for (const [sender, address, expected] of senders) {
  Deno.test(`resolve() of ${address} for the sender <${sender}>`, () => {
    assertEquals(resolved(address, SENDERS, sender), expected);
  });
}
