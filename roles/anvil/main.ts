/**
 * anvil - count what each client does.
 *
 * Counts connections, and messages, recipients, TLS sessions and logins in a time unit, by service and client network;
 * smtpd asks, and decides what is too much.
 *
 * Trusts   nobody's count but its own: a connection is over when the process that has it says so, or dies.
 * Talks to nobody; answers anvil.
 * Keeps    counts in memory, of so many clients; a restart forgets them.
 * Fails    without it nothing is limited, and mail goes on.
 */

import { answer } from "../../shared/ipc/server.ts";
import { anvilParameters } from "../../shared/parameters/anvil.ts";
import { anvilService } from "../../shared/protocols/anvil.ts";
import { role } from "../../shared/role/role.ts";
import { timerMs } from "../../shared/timer.ts";
import { Counts } from "./counts.ts";
import { handlers } from "./handlers.ts";

role({
  name: "anvil",
  parameters: anvilParameters,
  start({ params }) {
    const counts = new Counts(params.rateTimeUnit * 1000);
    const timers: ReturnType<typeof setInterval>[] = [];
    const keepTime = ({ rateTimeUnit, statusUpdateTime }: typeof params) => {
      for (const timer of timers.splice(0)) clearInterval(timer);
      counts.unitMs = rateTimeUnit * 1000;
      timers.push(setInterval(() => counts.sweep(), timerMs(rateTimeUnit)));
      timers.push(setInterval(() => counts.report(), timerMs(statusUpdateTime)));
    };
    keepTime(params);
    return {
      answers: [
        answer(anvilService, handlers(counts)),
      ],
      // Rates would be forgotten by another process.
      reload: keepTime,
      // deno-lint-ignore require-await
      async drain() {
        counts.report();
      },
    };
  },
});
