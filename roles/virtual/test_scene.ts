/** For tests: mailboxes to deliver to, by tables of the test's own. */

import { assertEquals } from "@std/assert";
import { Content } from "../../shared/ipc/content.ts";
import { setSink } from "../../shared/log/log.ts";
import type { Envelope } from "../../shared/mail/envelope.ts";
import { parseAll } from "../../shared/parameters/declare.ts";
import { virtualParameters } from "../../shared/parameters/virtual.ts";
import type { DeliveryRequest } from "../../shared/protocols/delivery.ts";
import type { Lookup, LookupParameter } from "../../shared/rewrite_cache.ts";
import { testEnvelope } from "../../tests/support/envelope.ts";
import { VirtualDelivery } from "./deliver.ts";

export type Table = (parameter: LookupParameter, address: string) => Lookup | Promise<Lookup>;

/** Mailboxes in a directory of their own, below a directory that nothing may be written to. */
export class Scene implements Disposable {
  top = Deno.makeTempDirSync();
  base = `${this.top}/base`;
  log: string[] = [];
  virtual: VirtualDelivery;

  constructor(table: Record<string, string> | Table, texts: Record<string, string> = {}) {
    Deno.mkdirSync(this.base);
    setSink((severity, text) => this.log.push(severity === "info" ? text : `${severity}: ${text}`));
    const defaults = Object.values(virtualParameters).map(({ name, fallback }) => [name, fallback]);
    const params = parseAll(virtualParameters, {
      ...Object.fromEntries(defaults),
      myhostname: "mx_1.example.com",
      virtual_mailbox_base: this.base,
      ...texts,
    });
    this.virtual = new VirtualDelivery(params, {
      lookup: typeof table === "function"
        ? table
        : (_, address) => ({ value: table[address] ?? null, fail: false }),
    });
  }

  /** Delivers and answers status, code and text of each recipient. */
  async deliver(
    recipients: string[],
    content: Content | string = "Subject: x\r\n\r\na\r\nb\r\n",
    trace?: Envelope["trace"],
  ) {
    const { outcomes, siteProblem } = await this.virtual.deliver(
      request(recipients, trace),
      typeof content === "string" ? whole(content) : content,
    );
    assertEquals([siteProblem, outcomes.map(({ n }) => n)], [
      null,
      recipients.map((_, i) => i + 5),
    ]);
    assertEquals(outcomes.map(({ relay }) => relay), recipients.map(() => trace && "virtual"));
    return outcomes.map(({ status, dsn, text }) => [status, dsn, text]);
  }

  /** The messages of a Maildir. */
  read(maildir: string): string[] {
    const path = `${this.base}/${maildir}/new`;
    return [...Deno.readDirSync(path)].map(({ name }) => Deno.readTextFileSync(`${path}/${name}`));
  }

  /** Every file below the top. */
  files(path = this.top): string[] {
    return [...Deno.readDirSync(path)].flatMap(({ name, isDirectory }) =>
      isDirectory ? this.files(`${path}/${name}`) : [`${path}/${name}`]
    );
  }

  [Symbol.dispose]() {
    Deno.removeSync(this.top, { recursive: true });
  }
}

function request(recipients: string[], trace?: Envelope["trace"]): DeliveryRequest {
  return {
    envelope: testEnvelope(trace ? { trace } : {}),
    size: 10,
    nexthop: "example.com",
    recipients: recipients.map((address, i) => ({
      n: i + 5,
      address,
      original: `all+${address}`,
      orcpt: "",
      notify: [],
    })),
    activeAt: 0,
    seal: "",
    keep: false,
  };
}

export function whole(text: string): Content {
  return new Content(new TextEncoder().encode(text), false, () => {});
}
