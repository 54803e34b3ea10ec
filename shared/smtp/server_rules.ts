/** What must hold between the parameters of smtpd: it starts only if it does, and so `postern check` asks the same. */

import { reason } from "../errors.ts";
import type { NetworkItem } from "../net/network_list.ts";
import type { Values } from "../parameters/declare.ts";
import { openRelay } from "../parameters/restrictions.ts";
import { smtpdParameters } from "../parameters/smtpd.ts";
import { forbiddenCommands } from "./forbidden_commands.ts";

/** What is wrong with one parameter. */
export interface Complaint {
  readonly parameter: string;
  readonly text: string;
}

/** All that is wrong; `hasTls`: there is a certificate. */
export function serverComplaints(
  params: Values<typeof smtpdParameters>,
  hasTls: boolean,
): Complaint[] {
  const found: Complaint[] = [];
  const complain = (parameter: string, text: string) => void found.push({ parameter, text });
  if (params.mynetworksStyle !== "host" && isDefaultNetworks(params.mynetworks)) {
    complain("mynetworks_style", "only host is supported: set mynetworks instead");
  }
  if (params.tlsSecurityLevel === "encrypt" && !hasTls) {
    complain("smtpd_tls_security_level", "encrypt needs smtpd_tls_chain_files");
  }
  if (params.tlsWrappermode && !hasTls) {
    complain("smtpd_tls_wrappermode", "yes needs smtpd_tls_chain_files");
  }
  const open = openRelay([params.relayRestrictions, params.recipientRestrictions]);
  if (open) complain("smtpd_relay_restrictions", open);
  try {
    forbiddenCommands(params.forbiddenCommands);
  } catch (error) {
    complain("smtpd_forbidden_commands", reason(error));
  }
  return found;
}

/** True for what `mynetworks` is when nothing is said. */
export function isDefaultNetworks(list: readonly NetworkItem[]): boolean {
  return list.map(({ text }) => text).join(" ") === smtpdParameters.mynetworks.fallback;
}
