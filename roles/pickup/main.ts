/**
 * pickup - take local submissions from the maildrop.
 *
 * Finds what sendmail left there, checks that it is a whole submission, hands it to cleanup, and removes the file when
 * the message is safely queued. A message that may never be queued is reported to its sender.
 *
 * Trusts   nothing in the maildrop: any user can put anything there; only who owns a file is believed.
 * Talks to cleanup, and bounce for what cleanup refuses; answers pickup.
 * Keeps    maildrop/: sendmail adds files; pickup, and an operator's postsuper, remove them.
 * Fails    cleanup away: everything waits; garbage is left with one log line, and removed after a day.
 */

import { answer, ANY_USER } from "../../shared/ipc/server.ts";
import { maildropDirectory } from "../../shared/layout.ts";
import { pickupParameters } from "../../shared/parameters/pickup.ts";
import { bounceService } from "../../shared/protocols/bounce.ts";
import { cleanupService } from "../../shared/protocols/cleanup.ts";
import { pickupService } from "../../shared/protocols/pickup.ts";
import { role } from "../../shared/role/role.ts";
import { Maildrop } from "./maildrop.ts";
import { Submitter } from "./submitter.ts";

role({
  name: "pickup",
  parameters: pickupParameters,
  start({ params, client }) {
    const submitter = new Submitter({
      hostname: params.myhostname,
      mailName: params.mailName,
      messageSizeLimit: params.messageSizeLimit,
      cleanup: client(cleanupService),
      bounce: client(bounceService),
    });
    const maildrop = new Maildrop({
      directory: maildropDirectory(params.queueDirectory),
      messageSizeLimit: params.messageSizeLimit,
      submit: (found) => submitter.submit(found),
      removed: (found) => submitter.settle(found),
    });
    maildrop.start();
    return {
      answers: [
        answer(pickupService, {
          async wake({ file }) {
            await maildrop.wake(file);
            return {};
          },
        }, ANY_USER),
      ],
      busy: () => maildrop.busy,
      drain: () => maildrop.stop(),
    };
  },
});
