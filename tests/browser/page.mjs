// The tests of the demo's page: `node page.mjs http://127.0.0.1:PORT [PART OF A NAME]`.
// `cargo xtask browser` runs them. They share one host and one browser.

import { join } from "node:path";
import * as access from "./access.mjs";
import * as chat from "./chat.mjs";
import { Host } from "./host.mjs";
import * as panels from "./panels.mjs";
import { Windows, needed } from "./windows.mjs";

const [base, wanted = ""] = process.argv.slice(2);
const host = new Host(base);
const windows = await Windows.launch(base);
let failed = 0;

for (const test of [...chat.tests, ...panels.tests, ...access.tests]) {
  if (!test.name.includes(wanted)) continue;
  const start = performance.now();
  try {
    await test({ windows, host });
    if (windows.problems.length > 0) throw new Error("the windows did what they must not");
    console.log(`ok      ${test.name} (${Math.round(performance.now() - start)} ms)`);
  } catch (error) {
    failed += 1;
    console.log([`FAILED  ${test.name}`, error.stack, ...windows.problems].join("\n"));
    await windows.photograph(join(needed("PICTURES"), test.name));
  }
  await windows.closeAll();
}
await windows.close();
// Otherwise the open standard input keeps the process running.
process.exit(failed === 0 ? 0 : 1);
