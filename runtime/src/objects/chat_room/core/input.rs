//! Validation of clients' input.

use anchorhold::Error;

use crate::objects::chat_room::ClientMessage;

/// The longest text of a message, in characters (Unicode scalar values).
pub const MAX_TEXT: usize = 4_096;
/// The longest `client_id`, in characters; a UUID has 36.
pub const MAX_CLIENT_ID: usize = 128;
/// The longest frame, in bytes: the longest text with all characters written as JSON's longest
/// escapes (`\ud83d\ude00`), and the JSON around it.
pub const MAX_FRAME: usize = 64 * 1024;

/// Checks the text of a message: 1 to 4,096 characters of any kind.
///
/// # Errors
/// 400, code `bad_text`.
pub fn check_text(text: &str) -> Result<(), Error> {
    if text.is_empty() || is_longer(text, MAX_TEXT) {
        return Err(Error::bad_request(
            "bad_text",
            format!("`text` must be 1 to {MAX_TEXT} characters long"),
        ));
    }
    Ok(())
}

/// Checks a client's identifier of a message: 1 to 128 characters without control characters.
///
/// # Errors
/// 400, code `bad_client_id`.
pub fn check_client_id(client_id: &str) -> Result<(), Error> {
    if client_id.is_empty() || is_longer(client_id, MAX_CLIENT_ID) || client_id.contains(is_control)
    {
        return Err(Error::bad_request(
            "bad_client_id",
            format!(
                "`client_id` must be 1 to {MAX_CLIENT_ID} characters long, without control characters"
            ),
        ));
    }
    Ok(())
}

/// Parses a frame from a socket. Checks its size first.
///
/// # Errors
/// 413, code `too_large`. 400, code `bad_message`, if it is not a message of the protocol, or has
/// an unknown field.
pub fn parse_frame(frame: &str) -> Result<ClientMessage, Error> {
    if frame.len() > MAX_FRAME {
        return Err(Error::new(
            413,
            "too_large",
            format!(
                "a message of {} bytes is over the limit of {MAX_FRAME}",
                frame.len()
            ),
        ));
    }
    serde_json::from_str(frame)
        .map_err(|error| Error::bad_request("bad_message", format!("invalid message: {error}")))
}

pub(super) fn is_longer(text: &str, characters: usize) -> bool {
    // A character has at most four bytes, so long input need not be counted.
    text.len() > characters * 4 || text.chars().count() > characters
}

/// Returns `true` for control characters, and for the separators that also end a line.
pub(super) fn is_control(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn lengths_are_counted_in_characters(count in 0_usize..5_000, character in any::<char>()) {
            let text: String = std::iter::repeat_n(character, count).collect();
            prop_assert_eq!(check_text(&text).is_ok(), (1..=4_096).contains(&count));
            prop_assert_eq!(
                check_client_id(&text).is_ok(),
                !is_control(character) && (1..=128).contains(&count)
            );
        }

        #[test]
        fn whatever_comes_is_read_or_refused(frame in ".{0,200}") {
            let _ = parse_frame(&frame);
        }
    }

    #[test]
    fn every_text_that_is_allowed_fits_a_frame() {
        let escaped = r"\ud83d\ude00".repeat(MAX_TEXT);
        let client_id = r"\ud83d\ude00".repeat(MAX_CLIENT_ID);
        let frame = format!(r#"{{"type":"post","text":"{escaped}","client_id":"{client_id}"}}"#);
        let Ok(ClientMessage::Post { text, .. }) = parse_frame(&frame) else {
            panic!("the largest post is one");
        };
        check_text(&text).unwrap();
    }

    #[test]
    fn only_the_protocols_fields_are_taken() {
        for (frame, code) in [
            (r#"{"type":"typing"}"#, None),
            (r#"{"type":"post","text":"a"}"#, None),
            (r#"{"type":"post","text":"a","client_id":null}"#, None),
            (
                r#"{"type":"post","text":"a","user":"eve"}"#,
                Some("bad_message"),
            ),
            (r#"{"type":"typing","text":"a"}"#, Some("bad_message")),
            (r#"{"type":"post"}"#, Some("bad_message")),
            (r#"{"type":"shout","text":"a"}"#, Some("bad_message")),
            (r#"{"text":"a"}"#, Some("bad_message")),
            ("[]", Some("bad_message")),
            ("", Some("bad_message")),
        ] {
            let refused = parse_frame(frame).err();
            assert_eq!(refused.as_ref().map(Error::code), code, "{frame}");
        }
        let long = " ".repeat(MAX_FRAME + 1);
        assert_eq!(parse_frame(&long).unwrap_err().code(), "too_large");
    }
}
