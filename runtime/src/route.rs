//! Paths: patterns with parameters, percent-encoding, query strings.

use std::borrow::Cow;
use std::fmt::Display;

/// Matches `path` against a pattern such as `/messages/{id}`; the decoded parameters in order.
/// `None` if it does not match; a segment that is not UTF-8 after decoding matches nothing.
pub(crate) fn matches<'p>(pattern: &'p str, path: &str) -> Option<Vec<(&'p str, String)>> {
    let mut parameters = Vec::new();
    let mut segments = path.trim_start_matches('/').split('/');
    let mut expected = pattern.trim_start_matches('/').split('/');
    loop {
        match (expected.next(), segments.next()) {
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

/// As [`matches`] for a prefix: also the rest of the path, beginning with `/`.
pub(crate) fn matches_prefix<'p, 'u>(
    pattern: &'p str,
    path: &'u str,
) -> Option<(Vec<(&'p str, String)>, &'u str)> {
    let count = pattern.trim_start_matches('/').split('/').count();
    let mut end = 0;
    let bytes = path.as_bytes();
    for _ in 0..count {
        if bytes.get(end) != Some(&b'/') {
            return None;
        }
        end += 1;
        end += path[end..].find('/').unwrap_or(path.len() - end);
    }
    let parameters = matches(pattern, &path[..end])?;
    Some((
        parameters,
        if end == path.len() { "/" } else { &path[end..] },
    ))
}

/// What is left of a path that matched a pattern and more, from the segment of the pattern's end on.
pub(crate) fn from_segment<'u>(path: &'u str, pattern: &str) -> Option<&'u str> {
    let before = pattern.trim_start_matches('/').split('/').count() - 1;
    let mut slashes = path.match_indices('/').skip(before);
    slashes.next().map(|(start, _)| &path[start..])
}

/// A path whose first segment is another one.
pub(crate) fn with_first_segment(path: &str, segment: &str) -> String {
    let rest = path.strip_prefix('/').unwrap_or(path);
    let rest = rest.find('/').map_or("", |end| &rest[end..]);
    let encoded =
        percent_encoding::utf8_percent_encode(segment, percent_encoding::NON_ALPHANUMERIC);
    format!("/{encoded}{rest}")
}

/// The name in `{name}`.
pub(crate) fn parameter(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// Whether two patterns match the same paths: they differ in their parameters' names at most.
pub(crate) fn have_one_shape(first: &str, second: &str) -> bool {
    fn shape(pattern: &str) -> impl Iterator<Item = Option<&str>> {
        let segments = pattern.trim_start_matches('/').split('/');
        segments.map(|segment| parameter(segment).is_none().then_some(segment))
    }
    shape(first).eq(shape(second))
}

/// Which of two matching patterns is the closer one: literals before parameters, from the left.
pub(crate) fn specificity(pattern: &str) -> Vec<bool> {
    pattern
        .trim_start_matches('/')
        .split('/')
        .map(|segment| parameter(segment).is_some())
        .collect()
}

/// The decoded pairs of a query string; pairs that are not UTF-8 after decoding are left out.
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

/// A query string with one parameter set, in place of all the values that it had.
pub(crate) fn with_query_value(query: &str, name: &str, value: &str) -> String {
    let others = query_without(query, name);
    let separator = if others.is_empty() { "" } else { "&" };
    format!("{others}{separator}{}={}", encode(name), encode(value))
}

/// A query string without one parameter, whatever values it had.
pub(crate) fn query_without(query: &str, name: &str) -> String {
    let others = query.split('&').filter(|pair| {
        let key = pair.split_once('=').map_or(*pair, |(key, _)| key);
        // A key that cannot be decoded binds to nothing; it stays as it is.
        !pair.is_empty() && decode(key, true).is_none_or(|key| key != name)
    });
    others.collect::<Vec<_>>().join("&")
}

fn encode(text: &str) -> impl Display {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
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
