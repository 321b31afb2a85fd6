// The room as a person sees it.

import { anotherName, colour, currentUser, rename } from "../people.js";
import { Room } from "./room.js";

const TYPING_SHOWN = 4_000;
const NOTICE_SHOWN = 6_000;
/** Messages of one person stand together if less time than this lies between them. */
const TOGETHER = 5 * 60_000;
/** So near to the end of the conversation, a reader is taken along by what is new. */
const AT_END = 48;
const LONGEST = 4_096;

const byId = (id) => document.getElementById(id);
const clock = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const calendar = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });

export function startChat() {
  const chat = new Chat(new URLSearchParams(location.search).get("room")?.trim() || byId("room").value);
  chat.enter();
}

class Chat {
  #roomName;
  #room = null;
  #members = [];
  #typing = new Map();
  #pending = new Map();
  #notice = "";
  #noticeTimer = null;
  #state = "connecting";
  #loading = false;
  #hasOlder = false;
  #unread = 0;

  #scroller = byId("scroller");
  #list = byId("messages");
  #waiting = byId("pending");
  #box = byId("message");

  constructor(roomName) {
    this.#roomName = roomName;
    this.#listenToFields();
    this.#listenToComposer();
    this.#listenToScrolling();
  }

  /** Goes into the room under the current name, with nothing in view. */
  enter() {
    this.#room?.close();
    this.#members = [];
    this.#typing.clear();
    this.#pending.clear();
    this.#list.replaceChildren();
    this.#waiting.replaceChildren();
    this.#hasOlder = false;
    byId("beginning").hidden = true;
    byId("empty").hidden = true;
    byId("room").value = this.#roomName;
    byId("user").value = currentUser();
    document.title = `${this.#roomName} · anchorhold`;
    const query = new URLSearchParams({ room: this.#roomName });
    history.replaceState(null, "", `?${query}${location.hash}`);
    // Old messages are not read out; those that come while somebody listens are.
    byId("log").setAttribute("aria-busy", "true");
    this.#room = new Room(this.#roomName, currentUser(), this.#listener());
    this.#showMembers();
  }

  #listener() {
    return {
      messages: (messages) => this.#append(messages),
      stored: (clientId) => this.#settle(clientId),
      refused: (message, clientId) => {
        this.#giveBack(clientId);
        this.#say(message);
      },
      members: (members) => {
        this.#members = members;
        this.#showMembers();
      },
      joined: (user) => {
        if (!this.#members.includes(user)) this.#members.push(user);
        this.#showMembers();
        this.#say(`${user} has come in.`);
      },
      left: (user) => {
        this.#members = this.#members.filter((member) => member !== user);
        this.#stopTyping(user);
        this.#showMembers();
        this.#say(`${user} has left.`);
      },
      typing: (user) => {
        if (user === currentUser()) return;
        clearTimeout(this.#typing.get(user));
        this.#typing.set(user, setTimeout(() => this.#stopTyping(user), TYPING_SHOWN));
        this.#showStatus();
      },
      state: (state) => this.#become(state),
    };
  }

  // --- The connection and the people

  #become(state) {
    this.#state = state;
    byId("connection-window").toggleAttribute("data-lit", state === "open");
    byId("chat").dataset.state = state;
    if (state === "open") {
      byId("empty").hidden = this.#list.childElementCount > 0 || this.#pending.size > 0;
      // After this frame, so that the history was put in place while the log was still busy.
      requestAnimationFrame(() => byId("log").setAttribute("aria-busy", "false"));
    } else {
      for (const user of [...this.#typing.keys()]) this.#stopTyping(user);
    }
    this.#showStatus();
  }

  #showMembers() {
    const names = [...this.#members].sort((a, b) => a.localeCompare(b));
    byId("members").replaceChildren(
      ...names.map((name) => {
        const item = element("li", "member");
        colour(item, name);
        const pane = element("span", "window");
        pane.dataset.lit = "";
        pane.setAttribute("aria-hidden", "true");
        const label = element("span", "name", name);
        label.title = name;
        item.append(pane, label);
        if (name === currentUser()) item.append(element("span", "visually-hidden", "(you)"));
        return item;
      }),
    );
    const other = anotherName([...names, currentUser()]);
    byId("second-window").href = `/?${new URLSearchParams({ room: this.#roomName, user: other })}`;
  }

  #stopTyping(user) {
    clearTimeout(this.#typing.get(user));
    if (this.#typing.delete(user)) this.#showStatus();
  }

  #say(notice) {
    this.#notice = notice;
    clearTimeout(this.#noticeTimer);
    this.#noticeTimer = setTimeout(() => {
      this.#notice = "";
      this.#showStatus();
    }, NOTICE_SHOWN);
    this.#showStatus();
  }

  #showStatus() {
    const text = this.#status();
    const line = byId("chat-status");
    // The same text again would be read out again.
    if (line.textContent !== text) line.textContent = text;
    line.classList.toggle("typing", this.#state === "open" && this.#typing.size > 0);
  }

  #status() {
    if (this.#state !== "open") {
      const unsent = this.#pending.size > 0 ? " What you wrote is sent as soon as the room is back." : "";
      const lost = this.#state === "waiting" || this.#list.childElementCount > 0;
      return `${lost ? "The connection is lost; trying again." : "Connecting …"}${unsent}`;
    }
    if (this.#typing.size === 0) return this.#notice;
    const names = [...this.#typing.keys()];
    if (names.length === 1) return `${names[0]} is typing …`;
    return names.length === 2 ? `${names.join(" and ")} are typing …` : "Several people are typing …";
  }

  // --- The conversation

  #append(messages) {
    const wasAtEnd = this.#isAtEnd();
    const first = this.#list.childElementCount === 0;
    if (first) this.#hasOlder = messages[0].id > 1;
    let previous = this.#list.lastElementChild?.message;
    for (const message of messages) {
      this.#stopTyping(message.user);
      this.#list.append(...this.#rendered(message, previous));
      previous = message;
    }
    byId("empty").hidden = true;
    const others = messages.filter((message) => message.user !== currentUser()).length;
    if (wasAtEnd || first) return this.#toEnd();
    this.#unread += others;
    this.#showUnread();
  }

  /** A message's elements: itself, and before it the day, if a new one begins. */
  #rendered(message, previous) {
    const at = new Date(message.at);
    const elements = [];
    const sameDay = previous !== undefined && new Date(previous.at).toDateString() === at.toDateString();
    if (!sameDay) elements.push(dayLine(at));
    const together = sameDay && previous.user === message.user && message.at - previous.at < TOGETHER;
    elements.push(messageItem(message, { together, own: message.user === currentUser() }));
    return elements;
  }

  async #loadOlder() {
    if (this.#loading || !this.#hasOlder) return;
    this.#loading = true;
    const room = this.#room;
    byId("log").setAttribute("aria-busy", "true");
    try {
      const { messages, more } = await room.older();
      if (room !== this.#room) return;
      this.#hasOlder = more;
      this.#prepend(messages);
      byId("beginning").hidden = more || (messages[0]?.id ?? this.#firstId()) <= 1;
    } catch {
      // Scrolling asks again.
    } finally {
      this.#loading = false;
      byId("log").setAttribute("aria-busy", "false");
    }
    // A page that does not fill the view leaves nothing to scroll.
    if (this.#scroller.scrollTop === 0 && this.#hasOlder) this.#loadOlder();
  }

  #prepend(messages) {
    if (messages.length === 0) return;
    const formerFirst = this.#list.querySelector(".message");
    // The day's line and the name over the former first message depend on what is now before it.
    if (formerFirst.previousElementSibling?.classList.contains("day")) formerFirst.previousElementSibling.remove();
    const elements = [];
    let previous;
    for (const message of messages) {
      elements.push(...this.#rendered(message, previous));
      previous = message;
    }
    const fromEnd = this.#scroller.scrollHeight - this.#scroller.scrollTop;
    formerFirst.replaceWith(...elements, ...this.#rendered(formerFirst.message, previous));
    this.#scroller.scrollTop = this.#scroller.scrollHeight - fromEnd;
  }

  #firstId() {
    return this.#list.querySelector(".message")?.message.id ?? 1;
  }

  #listenToScrolling() {
    this.#scroller.addEventListener("scroll", () => {
      if (this.#scroller.scrollTop < 200) this.#loadOlder();
      if (this.#isAtEnd()) this.#clearUnread();
    });
    byId("newer").addEventListener("click", () => {
      this.#toEnd();
      this.#box.focus();
    });
    // The keyboard of a phone takes half of the view: the end of the conversation stays in it.
    let stayAtEnd = true;
    this.#scroller.addEventListener("scroll", () => (stayAtEnd = this.#isAtEnd()));
    new ResizeObserver(() => stayAtEnd && this.#toEnd()).observe(this.#scroller);
  }

  #isAtEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    return scrollHeight - scrollTop - clientHeight < AT_END;
  }

  #toEnd() {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#clearUnread();
  }

  #clearUnread() {
    this.#unread = 0;
    this.#showUnread();
  }

  #showUnread() {
    const button = byId("newer");
    button.hidden = this.#unread === 0;
    button.textContent = this.#unread === 1 ? "1 new message" : `${this.#unread} new messages`;
  }

  // --- Writing

  #listenToFields() {
    onChange(byId("room"), (name) => {
      this.#roomName = name;
      this.enter();
    }, () => this.#roomName);
    onChange(byId("user"), (name) => {
      rename(name);
      this.enter();
    }, currentUser);
  }

  #listenToComposer() {
    byId("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#post();
    });
    this.#box.addEventListener("keydown", (event) => {
      // While a word is being composed from several keys, Enter belongs to that.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#post();
    });
    this.#box.addEventListener("input", () => {
      this.#fitBox();
      if (this.#box.value.trim() !== "") this.#room.typing();
    });
  }

  #post() {
    const text = this.#box.value.trim();
    if (text === "") return;
    this.#box.value = "";
    this.#fitBox();
    const clientId = this.#room.post(text);
    const item = messageItem({ user: currentUser(), text, at: Date.now() }, { together: false, own: true });
    this.#pending.set(clientId, { item, text });
    this.#waiting.append(item);
    byId("empty").hidden = true;
    this.#toEnd();
    this.#showStatus();
  }

  #settle(clientId) {
    this.#pending.get(clientId)?.item.remove();
    this.#pending.delete(clientId);
  }

  /** A text that was refused goes back into the box, unless there is another one by now. */
  #giveBack(clientId) {
    const text = this.#pending.get(clientId)?.text;
    this.#settle(clientId);
    if (text === undefined || this.#box.value !== "") return;
    this.#box.value = text;
    this.#fitBox();
  }

  #fitBox() {
    const left = LONGEST - this.#box.value.length;
    byId("length").textContent = left < 500 ? `${left} characters left.` : "";
    this.#box.style.height = "auto";
    this.#box.style.height = `${this.#box.scrollHeight + 2}px`;
  }
}

function messageItem(message, { together, own }) {
  const item = element("li", "message");
  item.message = message;
  item.classList.toggle("together", together);
  item.classList.toggle("own", own);
  colour(item, message.user);
  const who = element("span", "who", message.user);
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
  const today = new Date().toDateString() === at.toDateString();
  return element("li", "day", today ? "Today" : calendar.format(at));
}

/** What people wrote becomes text, here and nowhere else: never markup. */
function element(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

/** Takes a name over when it is entered; one that is empty goes back to what it was. */
function onChange(field, apply, current) {
  field.addEventListener("change", () => {
    const value = field.value.trim();
    if (value === "") field.value = current();
    else if (value !== current()) apply(value);
  });
}
