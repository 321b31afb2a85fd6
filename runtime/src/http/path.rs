//! Paths: their normal form, patterns with parameters, percent-encoding, query strings.

use std::borrow::Cow;
use std::fmt::{Display, Write};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};

/// The characters to encode in a segment: all except those that RFC 3986 calls unreserved.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Returns the normal form of a path, which guards, mounts and routes see on every host. Characters
/// that need no encoding are decoded, and all others are encoded in upper case. URL parsers do not
/// change it.
///
/// # Errors
/// The reason why the path has no normal form: URL parsers read it in different ways.
pub(crate) fn normal_form(path: &str) -> Result<Cow<'_, str>, &'static str> {
    if is_clearly_normal(path) {
        return Ok(Cow::Borrowed(path));
    }
    let normal = if path.is_empty() {
        Cow::Owned("/".to_owned())
    } else if path.bytes().all(is_plain) {
        Cow::Borrowed(path)
    } else {
        Cow::Owned(recode(path)?)
    };
    if !normal.starts_with('/') {
        return Err("the path does not begin with `/`");
    }
    if normal
        .split('/')
        .any(|segment| matches!(segment, "." | ".."))
    {
        return Err("the path has a segment `.` or `..`");
    }
    Ok(normal)
}

/// Recognises most paths in one pass: plain characters, and no segment that starts with a dot.
fn is_clearly_normal(path: &str) -> bool {
    let mut before = 0;
    path.starts_with('/')
        && path.bytes().all(|byte| {
            let begins_with_dot = before == b'/' && byte == b'.';
            before = byte;
            is_plain(byte) && !begins_with_dot
        })
}

/// Characters that are not encoded in a path (RFC 3986, `pchar`), and the slash.
fn is_plain(byte: u8) -> bool {
    PLAIN[usize::from(byte)]
}

const PLAIN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        table[byte as usize] = byte.is_ascii_alphanumeric();
        byte += 1;
    }
    let mut others: &[u8] = b"-._~!$&'()*+,;=:@/";
    while let [byte, rest @ ..] = others {
        table[*byte as usize] = true;
        others = rest;
    }
    table
};

fn recode(path: &str) -> Result<String, &'static str> {
    let mut normal = String::with_capacity(path.len() + 8);
    let mut bytes = path.as_bytes().iter();
    while let Some(&byte) = bytes.next() {
        let (byte, was_encoded) = match byte {
            b'\\' => return Err("the path has a backslash"),
            0..=b' ' | 0x7f => return Err("the path has a space or a control character"),
            b'%' => match encoded_byte(bytes.as_slice()) {
                Some(byte) => {
                    bytes.nth(1);
                    (byte, true)
                }
                // A percent sign that encodes nothing is literal.
                None => (b'%', true),
            },
            byte => (byte, false),
        };
        if is_plain(byte) && !(was_encoded && byte == b'/') {
            normal.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(normal, "%{byte:02X}");
        }
    }
    Ok(normal)
}

fn encoded_byte(digits: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(*digits.get(at)?).to_digit(16);
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}

/// The segments of a path or a pattern. Empty segments count: `//a` is not `/a`.
fn segments(path: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(path.strip_prefix('/').unwrap_or(path));
    std::iter::from_fn(move || {
        let (segment, others) = split_at_slash(rest?);
        rest = others;
        Some(segment)
    })
}

/// Splits at the first slash. (`str::split` finds the slashes of a long text faster, but segments
/// are short, and every request splits several times.)
fn split_at_slash(text: &str) -> (&str, Option<&str>) {
    match text.bytes().position(|byte| byte == b'/') {
        Some(end) => (&text[..end], Some(&text[end + 1..])),
        None => (text, None),
    }
}

/// Matches `path` against a pattern such as `/messages/{id}`. Returns the decoded parameters in
/// order, or `None` if it does not match. A segment that is not UTF-8 after decoding does not
/// match.
pub(crate) fn matches<'p>(pattern: &'p str, path: &str) -> Option<Vec<(&'p str, String)>> {
    let mut parameters = Vec::new();
    let mut actual = segments(path);
    let mut expected = segments(pattern);
    loop {
        match (expected.next(), actual.next()) {
            (None, None) => return Some(parameters),
            (Some(expected), Some(segment)) => match parameter(expected) {
                Some(name) => {
                    let value = decode(segment, false)?;
                    if value.is_empty() {
                        return None;
                    }
                    parameters.push((name, value.into_owned()));
                }
                None if expected == segment => {}
                None if decode(segment, false)? == expected => {}
                None => return None,
            },
            _ => return None,
        }
    }
}

/// Matches a prefix of `path` as [`matches`] does. Also returns the rest of the path, starting with
/// `/`.
pub(crate) fn matches_prefix<'p, 'u>(
    pattern: &'p str,
    path: &'u str,
) -> Option<(Vec<(&'p str, String)>, &'u str)> {
    let count = segments(pattern).count();
    let mut end = 0;
    let bytes = path.as_bytes();
    for _ in 0..count {
        if bytes.get(end) != Some(&b'/') {
            return None;
        }
        end += 1;
        end += split_at_slash(&path[end..]).0.len();
    }
    let parameters = matches(pattern, &path[..end])?;
    Some((
        parameters,
        if end == path.len() { "/" } else { &path[end..] },
    ))
}

/// Returns the part of a path from the segment of the pattern's end on. The path must match the
/// pattern and more.
pub(crate) fn from_segment<'u>(path: &'u str, pattern: &str) -> Option<&'u str> {
    let before = segments(pattern).count() - 1;
    let mut slashes = path.match_indices('/').skip(before);
    slashes.next().map(|(start, _)| &path[start..])
}

/// Replaces the first segment of a path.
pub(crate) fn with_first_segment(path: &str, segment: &str) -> String {
    let rest = path.strip_prefix('/').unwrap_or(path);
    let rest = rest.find('/').map_or("", |end| &rest[end..]);
    let encoded = percent_encoding::utf8_percent_encode(segment, SEGMENT);
    format!("/{encoded}{rest}")
}

/// Returns the name in `{name}`.
pub(crate) fn parameter(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// Returns `true` if two patterns match the same paths: at most their parameters' names differ.
pub(crate) fn have_one_shape(first: &str, second: &str) -> bool {
    fn shape(pattern: &str) -> impl Iterator<Item = Option<&str>> {
        segments(pattern).map(|segment| parameter(segment).is_none().then_some(segment))
    }
    shape(first).eq(shape(second))
}

/// Returns a key that orders matching patterns by specificity: literals before parameters, from the
/// left.
pub(crate) fn specificity(pattern: &str) -> Vec<bool> {
    segments(pattern)
        .map(|segment| parameter(segment).is_some())
        .collect()
}

/// Returns the decoded pairs of a query string. Pairs that are not UTF-8 after decoding are
/// omitted.
pub(crate) fn query_pairs(query: &str) -> impl Iterator<Item = (String, String)> + '_ {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .filter_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((
                decode(key, true)?.into_owned(),
                decode(value, true)?.into_owned(),
            ))
        })
}

/// Sets a parameter of a query string. Replaces all its values.
pub(crate) fn with_query_value(query: &str, name: &str, value: &str) -> String {
    let others = query_without(query, name);
    let separator = if others.is_empty() { "" } else { "&" };
    format!("{others}{separator}{}={}", encode(name), encode(value))
}

/// Removes a parameter of a query string with all its values.
pub(crate) fn query_without(query: &str, name: &str) -> String {
    let others = query.split('&').filter(|pair| {
        let key = pair.split_once('=').map_or(*pair, |(key, _)| key);
        // A key that cannot be decoded does not bind to anything, and is kept unchanged.
        !pair.is_empty() && decode(key, true).is_none_or(|key| key != name)
    });
    others.collect::<Vec<_>>().join("&")
}

fn encode(text: &str) -> impl Display {
    percent_encoding::utf8_percent_encode(text, NON_ALPHANUMERIC)
}

fn decode(text: &str, plus_is_space: bool) -> Option<Cow<'_, str>> {
    let is_encoded = text.contains('%') || plus_is_space && text.contains('+');
    if !is_encoded {
        return Some(Cow::Borrowed(text));
    }
    let spaced;
    let text = if plus_is_space {
        spaced = text.replace('+', " ");
        spaced.as_str()
    } else {
        text
    };
    let decoded: Vec<u8> = percent_encoding::percent_decode_str(text).collect();
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_slashes_in_them_stay_inside() {
        assert_eq!(
            matches("/m/{id}", "/m/a%2Fb"),
            Some(vec![("id", "a/b".to_owned())])
        );
        assert_eq!(matches("/m/{id}", "/m/a/b"), None);
        assert_eq!(matches("/m/{id}", "/m/"), None);
        assert_eq!(matches("/m/{id}", "/m/%ff"), None);
        assert_eq!(matches("/", "/"), Some(vec![]));
    }

    #[test]
    fn path_and_pattern_differ_by_an_empty_segment() {
        assert_eq!(matches("/a", "//a"), None);
        assert_eq!(matches("/a", "/a/"), None);
        assert_eq!(matches("/{x}/a", "//a"), None);
        assert_eq!(matches_prefix("/c/{name}", "//c/x"), None);
    }

    #[test]
    fn normal_form_decodes_what_needs_no_encoding_and_encodes_the_rest() {
        for (path, normal) in [
            ("", "/"),
            ("/", "/"),
            ("/a/b-c.d_e~f", "/a/b-c.d_e~f"),
            ("//a//", "//a//"),
            ("/%61%2D%2e%5F%7e%21%3B%3a%40", "/a-._~!;:@"),
            ("/%2f%5c%00%0a%20%25%3f%23", "/%2F%5C%00%0A%20%25%3F%23"),
            ("/%c3%bc/ü", "/%C3%BC/%C3%BC"),
            ("/%ff%c0%ae", "/%FF%C0%AE"),
            ("/100%/%4/%zz/%4g", "/100%25/%254/%25zz/%254g"),
            ("/\"<>[]^`{|}", "/%22%3C%3E%5B%5D%5E%60%7B%7C%7D"),
            ("/.../..a/a../.a", "/.../..a/a../.a"),
            ("/%252e", "/%252e"),
        ] {
            assert_eq!(normal_form(path).as_deref(), Ok(normal), "{path}");
            assert_eq!(normal_form(normal).as_deref(), Ok(normal), "{path}");
        }
    }

    #[test]
    fn path_without_a_normal_form_is_refused() {
        for path in [
            "*",
            "a",
            "?a",
            "%2Fa",
            "/.",
            "/..",
            "/./a",
            "/a/../b",
            "/a/%2e",
            "/%2e%2E/a",
            "/.%2e/",
            "/%2e./a",
            "/\\",
            "/a\\b",
            "\\a",
            "/a b",
            "/a\tb",
            "/a\n",
            "/\0",
            "/\u{7f}",
        ] {
            assert!(normal_form(path).is_err(), "{path:?}");
        }
    }

    #[test]
    fn a_prefix_leaves_the_rest() {
        let (parameters, rest) = matches_prefix("/c/{name}", "/c/a%20b/increment").unwrap();
        assert_eq!((parameters[0].1.as_str(), rest), ("a b", "/increment"));
        assert_eq!(matches_prefix("/c/{name}", "/c/x").unwrap().1, "/");
        assert_eq!(matches_prefix("/c/{name}", "/c"), None);
        assert_eq!(matches_prefix("/c/{name}", "/c/"), None);
    }

    #[test]
    fn the_shape_of_a_pattern_is_all_but_its_parameters_names() {
        assert!(have_one_shape("/a/{name}", "/a/{id}"));
        assert!(!have_one_shape("/a/{name}", "/b/{name}"));
        assert!(!have_one_shape("/a/{name}", "/a/name"));
        assert!(!have_one_shape("/a/{name}", "/a/{name}/b"));
    }

    #[test]
    fn a_sharded_path_keeps_its_key() {
        assert_eq!(
            from_segment("/limits/a%2Fb/check", "/limits/{key}"),
            Some("/a%2Fb/check")
        );
        assert_eq!(from_segment("/v1/limits/a", "/v1/limits/{key}"), Some("/a"));
        assert_eq!(from_segment("/a/b/", "/{key}"), Some("/a/b/"));
    }

    #[test]
    fn another_first_segment() {
        assert_eq!(
            with_first_segment("/a%2Fb/check", "c/ü"),
            "/c%2F%C3%BC/check"
        );
        assert_eq!(with_first_segment("/a", "b"), "/b");
        assert_eq!(with_first_segment("/", "b"), "/b");
    }

    #[test]
    fn query_strings() {
        let pairs: Vec<_> = query_pairs("a=1&b=x+y&c&d=%26&bad=%ff").collect();
        let expected = [("a", "1"), ("b", "x y"), ("c", ""), ("d", "&")];
        assert_eq!(pairs.len(), 4);
        for (pair, expected) in pairs.iter().zip(expected) {
            assert_eq!((pair.0.as_str(), pair.1.as_str()), expected);
        }
    }

    #[test]
    fn a_query_value_replaces_every_other_of_its_name() {
        for (query, expected) in [
            ("", "user=a%26b"),
            ("user=eve", "user=a%26b"),
            ("user=eve&x=1&us%65r=eve&user", "x=1&user=a%26b"),
            ("x=1&users=2&%ff=3", "x=1&users=2&%ff=3&user=a%26b"),
        ] {
            assert_eq!(with_query_value(query, "user", "a&b"), expected);
        }
    }
}
