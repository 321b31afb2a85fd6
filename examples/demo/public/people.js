// The user of this window, and how users are shown.

const HERMITS = [
  "Aelred", "Agnes", "Bega", "Cedd", "Christina", "Cuthbert", "Edith", "Emma", "Eve", "Godric", "Guthlac", "Hilda",
  "Ida", "Julian", "Katherine", "Loretta", "Margery", "Odo", "Richard", "Robert", "Simon", "Wulfric",
];

let user = firstName();

/** Returns the name of this window's user, in the room and as the holder of a lock. */
export function currentUser() {
  return user;
}

export function rename(name) {
  user = name;
  remember();
}

/** Returns a name that is not taken. */
export function anotherName(taken) {
  const free = HERMITS.filter((name) => !taken.includes(name));
  return free.length === 0 ? `Guest ${taken.length + 1}` : free[Math.floor(Math.random() * free.length)];
}

/** Returns an element with the user's name in the user's colour. */
export function person(tag, name) {
  const element = document.createElement(tag);
  element.className = "person";
  element.textContent = name;
  element.style.setProperty("--hue", hue(name));
  return element;
}

/** Returns the hue of a name, which is the same in every window. The style sheet sets lightness and chroma. */
function hue(name) {
  let hash = 0;
  for (const character of name) hash = (hash * 31 + character.codePointAt(0)) >>> 0;
  // Steps of the golden angle, so that similar hashes give different hues.
  return Math.round((hash * 137.508) % 360);
}

function firstName() {
  const asked = new URLSearchParams(location.search).get("user")?.trim();
  return asked?.slice(0, 32) || remembered() || anotherName([]);
}

// Each tab has its own user, so the name is not in `localStorage`.
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
    // Storage is disabled. The name lasts as long as the page.
  }
}

remember();
