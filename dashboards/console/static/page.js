// A page that shows what was there when it was asked for: only the clock, the link and the banner move.

import { follow } from "./live.js";

if (document.getElementById("settings")) follow({});
