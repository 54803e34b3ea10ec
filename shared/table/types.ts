/** Every type of table that there is: importing this registers them. */

import "./texthash.ts";
import "./simple.ts";
import "./pattern.ts";
import "./cidr.ts";
