//! Names of users: one form of each name, and no name that looks like another's.

use std::collections::BTreeMap;

use anchorhold::Error;
use unicode_normalization::UnicodeNormalization;
use unicode_script::{Script, UnicodeScript};
use unicode_security::{MixedScript, skeleton};

use super::input::{is_control, is_longer};

/// The longest name of a user, in characters (Unicode scalar values); a UUID has 36.
pub const MAX_NAME: usize = 64;
/// The longest name of a user, in bytes: sockets are found by a tag, which has at most 256.
const MAX_NAME_BYTES: usize = 256;

/// Returns the normal form (NFKC) of a user's name: 1 to 64 characters without control and
/// invisible characters, without white space at either end, and of one script. (Chinese, Japanese
/// and Korean characters may be mixed with another script.) `field` is its name in the error
/// message.
///
/// ```
/// use anchorhold::objects::chat_room::core::normal_name;
///
/// assert_eq!(normal_name("user", "Ａｎｎ").unwrap(), "Ann");
/// assert!(normal_name("user", "ann\u{200b}").is_err());   // a space without a width
/// assert!(normal_name("user", "аnn").is_err());            // the first letter is Cyrillic
/// ```
///
/// # Errors
/// 400, code `bad_name`.
pub fn normal_name(field: &str, name: &str) -> Result<String, Error> {
    let bad = |what: &str| Err(Error::bad_request("bad_name", format!("`{field}` {what}")));
    if is_longer(name, MAX_NAME) {
        return bad("is over the limit of 64 characters");
    }
    if name.contains(is_control) {
        return bad("contains a control character");
    }
    if name.contains(is_invisible) {
        return bad("contains an invisible character");
    }
    let normal: String = name.nfkc().collect();
    if normal.is_empty() {
        return bad("is empty: it is a name of 1 to 64 characters");
    }
    if is_longer(&normal, MAX_NAME) || normal.len() > MAX_NAME_BYTES {
        return bad("is over the limit of 64 characters in its normal form");
    }
    if normal.trim() != normal {
        return bad("begins or ends with white space");
    }
    let alphabetic: String = normal
        .chars()
        .filter(|letter| !is_east_asian(*letter))
        .collect();
    if !alphabetic.is_single_script() {
        return bad("mixes scripts, such as Latin and Cyrillic letters that look alike");
    }
    Ok(normal)
}

fn is_east_asian(character: char) -> bool {
    matches!(
        character.script(),
        Script::Han | Script::Hiragana | Script::Katakana | Script::Hangul | Script::Bopomofo
    )
}

/// Returns `true` for characters that are displayed as nothing, or change the display of others:
/// Unicode's default ignorable code points.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
    )
}

/// The members of a room by what their names look like (the skeleton of Unicode's technical
/// standard 39).
#[derive(Clone, Debug, Default)]
pub struct Lookalikes(BTreeMap<String, String>);

impl Lookalikes {
    /// Creates the index of the members.
    pub fn of(members: impl IntoIterator<Item = String>) -> Self {
        let mut index = Self::default();
        for member in members {
            index.add(&member);
        }
        index
    }

    /// Returns the member with another name that looks like `name`.
    #[must_use]
    pub fn other(&self, name: &str) -> Option<&str> {
        let known = self.0.get(&looks(name))?;
        (known != name).then_some(known)
    }

    /// Adds a member.
    pub fn add(&mut self, name: &str) {
        self.0.entry(looks(name)).or_insert_with(|| name.to_owned());
    }

    /// Removes a member.
    pub fn remove(&mut self, name: &str) {
        let looks = looks(name);
        if self.0.get(&looks).is_some_and(|known| known == name) {
            self.0.remove(&looks);
        }
    }
}

fn looks(name: &str) -> String {
    skeleton(name).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn normal_names_stay_as_they_are(name in any::<String>()) {
            if let Ok(normal) = normal_name("user", &name) {
                prop_assert_eq!(normal_name("user", &normal).unwrap(), normal.clone());
                prop_assert!(normal.chars().count() <= MAX_NAME && normal.len() <= MAX_NAME_BYTES);
                prop_assert!(!normal.contains(is_control));
            }
        }

        #[test]
        fn plain_names_are_taken_as_they_are(name in "[a-zA-Z0-9-]{1,64}") {
            prop_assert_eq!(normal_name("user", &name).unwrap(), name);
        }

        #[test]
        fn invisible_characters_make_no_second_ann(place in 0..=3_usize, invisible in any::<char>()) {
            let mut name = String::from("ann");
            name.insert(place, invisible);
            let displayed_as_ann = is_invisible(invisible) || is_control(invisible);
            prop_assert!(!displayed_as_ann || normal_name("user", &name).is_err());
        }
    }

    #[test]
    fn names_of_the_world_are_taken() {
        for name in [
            "0b94e1d1-5a3e-4f0c-9a51-5e6f7a3c9d10",
            "Ann Lee",
            "Zoë",
            "Сара",
            "Ελένη",
            "山田 Taro",
            "김민수",
            "محمد",
            "שרה",
            "😀",
            "O'Neil_7",
        ] {
            assert_eq!(
                normal_name("user", name).unwrap(),
                name.nfkc().collect::<String>()
            );
        }
        assert_eq!(normal_name("user", "Zoe\u{308}").unwrap(), "Zoë");
    }

    #[test]
    fn lookalikes_are_found_until_their_member_leaves() {
        let mut index = Lookalikes::of(["Capa".to_owned(), "paul".to_owned()]);
        let cyrillic = "Сара";
        assert_eq!(index.other(cyrillic), Some("Capa"));
        assert_eq!(index.other("Capa"), None);
        assert_eq!(index.other("pau1"), Some("paul"));
        index.remove(cyrillic);
        assert_eq!(index.other(cyrillic), Some("Capa"));
        index.remove("Capa");
        assert_eq!(index.other(cyrillic), None);
    }
}
