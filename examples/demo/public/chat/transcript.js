// The conversation on the page: its messages, those not stored yet, and scrolling.

import { currentUser, person } from "../people.js";

/** Messages of one user within this many milliseconds are grouped. */
const TOGETHER = 5 * 60_000;
/** Within this many pixels of the end, new messages scroll into view. */
const AT_END = 48;
/** Within this many pixels of the beginning, older messages are fetched. */
const AT_BEGINNING = 200;

const byId = (id) => document.getElementById(id);
const clock = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const calendar = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });

export class Transcript {
  #scroller = byId("scroller");
  #list = byId("messages");
  #waiting = byId("pending");
  #pending = new Map();
  #fetchOlder = null;
  #hasOlder = false;
  #isLoading = false;
  #isAtEnd = true;
  #unread = 0;

  constructor() {
    this.#scroller.addEventListener("scroll", () => {
      this.#isAtEnd = this.#distanceFromEnd() < AT_END;
      if (this.#isAtEnd) this.#showUnread(0);
      if (this.#scroller.scrollTop < AT_BEGINNING) this.#loadOlder();
    });
    // When a phone's keyboard takes half of the view, the end of the conversation stays visible.
    new ResizeObserver(() => this.#isAtEnd && this.toEnd()).observe(this.#scroller);
    byId("newer").addEventListener("click", () => {
      this.toEnd();
      byId("message").focus();
    });
  }

  /** Begins another conversation. `fetchOlder()` returns the page before the oldest message. */
  begin(fetchOlder) {
    this.#fetchOlder = fetchOlder;
    this.#pending.clear();
    this.#waiting.replaceChildren();
    this.clear();
  }

  /** Removes the stored messages. Pending ones stay. */
  clear() {
    this.#list.replaceChildren();
    this.#hasOlder = false;
    byId("beginning").hidden = true;
    byId("empty").hidden = true;
    this.#showUnread(0);
    this.#setBusy(true);
  }

  get isEmpty() {
    return this.#list.childElementCount === 0 && this.#pending.size === 0;
  }

  get hasPending() {
    return this.#pending.size > 0;
  }

  /** Ends loading: later messages are announced as new. */
  ready() {
    byId("empty").hidden = !this.isEmpty;
    // In the next frame: a screen reader would otherwise read the history out.
    requestAnimationFrame(() => this.#setBusy(false));
  }

  /** Adds messages at the end. */
  append(messages) {
    const follows = this.#isAtEnd || this.#list.childElementCount === 0;
    if (this.#list.childElementCount === 0) this.#hasOlder = messages[0].id > 1;
    this.#list.append(...rendered(messages, this.#list.lastElementChild?.message));
    byId("empty").hidden = true;
    const news = messages.filter((message) => message.user !== currentUser()).length;
    if (follows) this.toEnd();
    else this.#showUnread(this.#unread + news);
  }

  /** Shows a text that is not stored yet. */
  pend(clientId, text) {
    const item = messageItem({ user: currentUser(), text, at: Date.now() }, false);
    this.#pending.set(clientId, { item, text });
    this.#waiting.append(item);
    byId("empty").hidden = true;
    this.toEnd();
  }

  /** Removes a pending text, which was stored or refused. Returns it. */
  settle(clientId) {
    const pending = this.#pending.get(clientId);
    pending?.item.remove();
    this.#pending.delete(clientId);
    return pending?.text;
  }

  toEnd() {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#isAtEnd = true;
    this.#showUnread(0);
  }

  async #loadOlder() {
    if (this.#isLoading || !this.#hasOlder) return;
    this.#isLoading = true;
    this.#setBusy(true);
    const fetchOlder = this.#fetchOlder;
    try {
      const { messages, more } = await fetchOlder();
      // The room may have been changed meanwhile.
      if (fetchOlder !== this.#fetchOlder) return;
      this.#hasOlder = more;
      this.#prepend(messages);
      byId("beginning").hidden = more || this.#first()?.message.id === 1;
    } catch {
      // The next scroll retries.
      return;
    } finally {
      this.#isLoading = false;
      this.#setBusy(false);
    }
    // If the page does not fill the view, no scroll event would load the next one.
    if (this.#scroller.scrollTop === 0) this.#loadOlder();
  }

  #prepend(messages) {
    const first = this.#first();
    if (messages.length === 0 || first === null) return;
    // The former first message may need no day line and no name any more.
    if (first.previousElementSibling !== null) first.previousElementSibling.remove();
    const fromEnd = this.#scroller.scrollHeight - this.#scroller.scrollTop;
    first.replaceWith(...rendered([...messages, first.message]));
    this.#scroller.scrollTop = this.#scroller.scrollHeight - fromEnd;
  }

  #first() {
    return this.#list.querySelector(".message");
  }

  #distanceFromEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    return scrollHeight - scrollTop - clientHeight;
  }

  #showUnread(count) {
    this.#unread = count;
    byId("newer").hidden = count === 0;
    byId("newer").textContent = count === 1 ? "1 new message" : `${count} new messages`;
  }

  #setBusy(isBusy) {
    byId("log").setAttribute("aria-busy", isBusy);
  }
}

/** Returns the elements of messages, with a line where a day begins. */
function rendered(messages, previous) {
  const elements = [];
  for (const message of messages) {
    const at = new Date(message.at);
    const sameDay = previous !== undefined && new Date(previous.at).toDateString() === at.toDateString();
    if (!sameDay) elements.push(dayLine(at));
    const together = sameDay && previous.user === message.user && message.at - previous.at < TOGETHER;
    elements.push(messageItem(message, together));
    previous = message;
  }
  return elements;
}

function messageItem(message, together) {
  const item = element("li", "message");
  item.message = message;
  item.classList.toggle("together", together);
  item.classList.toggle("own", message.user === currentUser());
  const who = person("span", message.user);
  who.classList.add("who");
  who.title = message.user;
  const text = element("p", "text", message.text);
  text.dir = "auto";
  const at = new Date(message.at);
  const time = element("time", "time", clock.format(at));
  time.dateTime = at.toISOString();
  item.append(who, text, time);
  return item;
}

function dayLine(at) {
  const isToday = new Date().toDateString() === at.toDateString();
  return element("li", "day", isToday ? "Today" : calendar.format(at));
}

/** Returns an element. User input becomes text, never markup. */
function element(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}
