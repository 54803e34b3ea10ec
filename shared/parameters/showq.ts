/** The parameters of showq: where the queue is. */

import { queue } from "./global.ts";

export const showqParameters = { ...queue };
