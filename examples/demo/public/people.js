// Who sits before this window, and how people are told apart.

const HERMITS = [
  "Aelred", "Agnes", "Bega", "Cedd", "Christina", "Cuthbert", "Edith", "Emma", "Eve", "Godric", "Guthlac", "Hilda",
  "Ida", "Julian", "Katherine", "Loretta", "Margery", "Odo", "Richard", "Robert", "Simon", "Wulfric",
];

let user = firstName();

/** The name that this window goes by, in the room and as the holder of a lock. */
export function currentUser() {
  return user;
}

export function rename(name) {
  user = name;
  remember();
}

/** A name for somebody else. */
export function anotherName(taken) {
  const free = HERMITS.filter((name) => !taken.includes(name));
  return free.length === 0 ? `Guest ${taken.length + 1}` : free[Math.floor(Math.random() * free.length)];
}

/** A person's name in their colour, as an element. */
export function person(tag, name) {
  const element = document.createElement(tag);
  element.className = "person";
  element.textContent = name;
  element.style.setProperty("--hue", hue(name));
  return element;
}

/** The same colour for the same name in every window; the style sheet sets how light and how strong it is. */
function hue(name) {
  let hash = 0;
  for (const character of name) hash = (hash * 31 + character.codePointAt(0)) >>> 0;
  // Steps of the golden angle: names whose sums are near each other get colours that are not.
  return Math.round((hash * 137.508) % 360);
}

function firstName() {
  const asked = new URLSearchParams(location.search).get("user")?.trim();
  return asked?.slice(0, 32) || remembered() || anotherName([]);
}

// For the tab, not for the browser: two tabs are two people.
function remembered() {
  try {
    return sessionStorage.getItem("user");
  } catch {
    return null;
  }
}

function remember() {
  try {
    sessionStorage.setItem("user", user);
  } catch {
    // Storage is switched off; the name is forgotten with the page.
  }
}

remember();
