// The host that serves the page, and the actions on it. The test that runs this script reads
// requests on standard output, carries them out, and answers with a line.

import { createInterface } from "node:readline";

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

export class Host {
  constructor(base) {
    this.base = base;
  }

  kill() {
    return order("kill");
  }

  /** Restarts it on the same folder and the same port. */
  restart() {
    return order("restart");
  }

  async get(path) {
    return (await fetch(this.base + path)).json();
  }

  async post(path, body) {
    const response = await fetch(this.base + path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response.json();
  }

  /** Returns every message that a room keeps, oldest first. */
  async history(room) {
    const all = [];
    for (let more = true, before = Number.MAX_SAFE_INTEGER; more; ) {
      const page = await this.get(`/rooms/${room}/history?before=${before}&limit=50`);
      all.unshift(...page.messages);
      more = page.more;
      before = page.messages[0]?.id;
    }
    return all;
  }
}

async function order(what) {
  console.log(`host: ${what}`);
  const { done } = await answers.next();
  if (done) throw new Error(`nobody can ${what} the host: run this as the test \`browser\` of tests/hosts`);
}
