// Starts the parts of the page. The chat is a WebSocket of one object. Each panel shows one object over HTTP.

import { startChat } from "./chat/view.js";
import { startBells } from "./panels/bells.js";
import { startCounter } from "./panels/counter.js";
import { startLimiter } from "./panels/limiter.js";
import { startLock } from "./panels/lock.js";
import { startTask } from "./panels/task.js";

for (const start of [startChat, startCounter, startLimiter, startLock, startTask, startBells]) start();
