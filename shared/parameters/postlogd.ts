/** The parameters of postlogd: where the log is. */

import { logging, queue } from "./global.ts";

export const postlogdParameters = { ...logging, ...queue };
