/** What becomes of the members of a virtual alias: every one gets the mail, or the message has to wait. */

import { assert, assertEquals } from "@std/assert";
import type { Recipient } from "../../shared/mail/envelope.ts";
import type { Lookup } from "../../shared/rewrite_cache.ts";
import { RECEIVED, recipient, scene } from "./test_scene.ts";

const MAPS = { virtual_alias_maps: "texthash:/virtual" };

/** Submits to an alias of which the table has this; who gets the message, and what the client and the log hear. */
async function submitTo(
  address: string,
  value: string,
  extension?: string,
  texts: Record<string, string> = {},
) {
  const found: Lookup = { value, ...(extension !== undefined && { extension }), fail: false };
  const none: Lookup = { value: null, fail: false };
  const { submit, queue, log } = scene(
    { ...MAPS, ...texts },
    (asked) => asked === address ? found : none,
  );
  const reply = await submit(`${RECEIVED}\r\n`, { recipients: [recipient(address)] });
  return { code: `${reply.code} ${reply.dsn}`, recipients: queue[0]?.recipients, log };
}

for (
  const [value, extension, expected] of [
    ["anna, bob cleo", undefined, ["anna@example.com", "bob@example.com", "cleo@example.com"]],
    ["Bob <bob@b.example>, anna@a.example (A)", "+x", ["bob+x@b.example", "anna+x@a.example"]],
    ['<"j d"@b.example>, "q@q"@c.example', "+x", ["j d+x@b.example", "q@q+x@c.example"]],
    ["anna", "+a b", ["anna+a b@example.com"]],
    ["anna+y@a.example", "+x", ["anna+y+x@a.example"]],
    ["@b.example, anna@a.example", undefined, ["team@b.example", "anna@a.example"]],
    ["@b.example\n\tanna@a.example", undefined, ["team@b.example", "anna@a.example"]],
  ] as const
) {
  const how = extension ? ` with the extension ${extension}` : "";
  Deno.test(`submit() sends to each member of ${value}${how}`, async () => {
    const { code, recipients } = await submitTo("team@example.com", value, extension);
    assertEquals([code, recipients], ["250 2.0.0", [...expected]]);
  });
}

for (
  const [what, value, notify, expected] of [
    ["who wants to hear of successes hears of the alias alone", "anna, bob", ["SUCCESS", "DELAY"], {
      recipients: [["anna@example.com", "DELAY"], ["bob@example.com", "DELAY"]],
      expanded: [["team@example.com", "SUCCESS"]],
    }],
    ["who wants to hear of nothing else hears of no member", "anna", ["SUCCESS"], {
      recipients: [["anna@example.com", "NEVER"]],
      expanded: [["team@example.com", "SUCCESS"]],
    }],
    ["who does not want to hear of successes hears of no alias", "anna", ["FAILURE"], {
      recipients: [["anna@example.com", "FAILURE"]],
      expanded: undefined,
    }],
    ["an alias that is its own only member is none", "team", ["SUCCESS"], {
      recipients: [["team@example.com", "SUCCESS"]],
      expanded: undefined,
    }],
    ["an alias that is one of its members is one", "anna, team", ["SUCCESS"], {
      recipients: [["anna@example.com", "NEVER"], ["team@example.com", "NEVER"]],
      expanded: [["team@example.com", "SUCCESS"]],
    }],
  ] as const
) {
  Deno.test(`submit() with an alias: ${what}`, async () => {
    const told = (some?: Recipient[]) =>
      some?.map(({ address, original, orcpt, notify }) => {
        assertEquals([original, orcpt], ["Team@example.com", "rfc822;t@x"]);
        return [address, notify.join()];
      });
    const asked: unknown[] = [];
    const { submit } = scene(
      MAPS,
      { "team@example.com": value },
      // deno-lint-ignore no-explicit-any
      ((_name: string, { recipients, expanded }: any) => {
        asked.push({ recipients: told(recipients), expanded: told(expanded) });
        return Promise.resolve({ reply: {} });
        // deno-lint-ignore no-explicit-any
      }) as any,
    );
    const original = "Team@example.com", orcpt = "rfc822;t@x";
    const named = recipient("team@example.com", { original, orcpt, notify: [...notify] });
    await submit(`${RECEIVED}\r\n`, { recipients: [named] });
    assertEquals(asked, [expected]);
  });
}

Deno.test("submit() sends to the same user elsewhere with the extension that it has, and extends the others", async () => {
  const { recipients } = await submitTo("a b+x@old.example", "@new.example, anna", "+x");
  assertEquals(recipients, ["a b+x@new.example", "anna+x@example.com"]);
});

Deno.test("submit() reads a list once that sends many users elsewhere", async () => {
  const { submit, queue } = scene(MAPS, (asked) => {
    const value = asked.endsWith("@old.example") ? "@new.example, all@new.example" : null;
    return { value, fail: false };
  });
  const recipients = ["anna", "bob"].map((user) => recipient(`${user}@old.example`));
  await submit(`${RECEIVED}\r\n`, { recipients });
  assertEquals(queue[0]?.recipients, [
    "anna@new.example",
    "all@new.example",
    "bob@new.example",
    "all@new.example",
  ]);
});

for (const value of ["anna, user(x)@, cleo", "anna, bob (b, cleo", "team: anna, bob;"]) {
  Deno.test(`submit() refuses an alias that cannot be read for now, and names it: ${value}`, async () => {
    const { code, recipients, log } = await submitTo("team@example.com", value);
    assertEquals([code, recipients], ["451 4.6.0", undefined]);
    const [said] = log;
    assert(said?.endsWith(`virtual_alias_maps: bad address list for team@example.com: ${value}`));
  });
}

Deno.test("submit() asks for no member of a list that is too long", async () => {
  const { code } = await submitTo("team@example.com", "a,".repeat(1001));
  assertEquals(code, "451 4.6.0");
});

for (
  const [what, extension, texts] of [
    ["an address can be", "+".padEnd(990, "x"), {}],
    ["virtual_alias_address_length_limit", "+x", { virtual_alias_address_length_limit: "15" }],
  ] as const
) {
  Deno.test(`submit() refuses an extension that makes a member longer than ${what}`, async () => {
    const { code, log } = await submitTo("team@example.com", "anna@a.example", extension, texts);
    assertEquals(code, "451 4.6.0");
    assert(log[0]?.includes("address of excessive length for team@example.com: anna+x"));
  });
}
