/** Every type of table that there is: importing this registers them. */

import "./text.ts";
import "./simple.ts";
import "./pattern.ts";
import "./cidr.ts";
