//! Paths and query strings.

use bolero::TypeGenerator;
use bolero::generator::produce;
use url::{Url, form_urlencoded};

use super::target;
use crate::http::path::{
    from_segment, matches, matches_prefix, normal_form, query_pairs, query_without,
    with_first_segment, with_query_value,
};

/// The parts of paths and query strings.
#[derive(Clone, Debug, TypeGenerator)]
pub(super) enum Piece {
    Slash,
    Dot,
    Backslash,
    Encoded(u8),
    Twice(u8),
    Percent,
    Word,
    And,
    Is,
    Plus,
    Char(char),
    Text(String),
}

pub(super) fn text_of(pieces: &[Piece]) -> String {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Slash => text.push('/'),
            Piece::Dot => text.push('.'),
            Piece::Backslash => text.push('\\'),
            Piece::Encoded(byte) if byte % 2 == 0 => text.push_str(&format!("%{byte:02x}")),
            Piece::Encoded(byte) => text.push_str(&format!("%{byte:02X}")),
            Piece::Twice(byte) => text.push_str(&format!("%25{byte:02X}")),
            Piece::Percent => text.push('%'),
            Piece::Word => text.push_str("user"),
            Piece::And => text.push('&'),
            Piece::Is => text.push('='),
            Piece::Plus => text.push('+'),
            Piece::Char(char) => text.push(*char),
            Piece::Text(other) => text.push_str(other),
        }
    }
    text
}

fn decoded(segment: &str) -> Vec<u8> {
    percent_encoding::percent_decode_str(segment).collect()
}

target!(
    path_has_one_form_that_url_parsers_keep,
    produce::<Vec<Piece>>(),
    |pieces| {
        let path = format!("/{}", text_of(pieces));
        let Ok(normal) = normal_form(&path) else {
            let odd = |byte: u8| byte <= b' ' || byte == 0x7f || byte == b'\\';
            let climbs = |segment: &str| matches!(decoded(segment).as_slice(), b"." | b"..");
            assert!(
                path.bytes().any(odd) || path.split('/').any(climbs),
                "{path:?} was refused"
            );
            return;
        };
        assert_eq!(normal_form(&normal).as_deref(), Ok(&*normal), "{path:?}");
        let parsed = Url::parse(&format!("http://host{normal}")).expect(&normal);
        assert_eq!(parsed.path(), normal, "{path:?}");
        assert_eq!(
            (parsed.query(), parsed.fragment()),
            (None, None),
            "{path:?}"
        );
        let segments = |path: &str| path.split('/').map(decoded).collect::<Vec<_>>();
        assert_eq!(segments(&normal), segments(&path), "{path:?}");
    }
);

const PATTERNS: &[&str] = &[
    "/",
    "/user",
    "/{name}",
    "/user/{name}",
    "/{name}/user",
    "/{a}/{b}",
    "/us er/{name}",
];

target!(
    patterns_bind_what_the_path_says,
    produce::<Vec<Piece>>(),
    |pieces| {
        let path = format!("/{}", text_of(pieces));
        let Ok(path) = normal_form(&path) else { return };
        for pattern in PATTERNS {
            if let Some(parameters) = matches(pattern, &path) {
                assert_eq!(with_parameters(pattern, &parameters), decode_all(&path));
            }
            let Some((parameters, rest)) = matches_prefix(pattern, &path) else {
                continue;
            };
            assert!(rest.starts_with('/'), "{pattern} of {path}: {rest}");
            let whole = with_parameters(pattern, &parameters);
            let (own, of_path) = (decode_all(rest), decode_all(&path));
            let rejoined = [whole.clone(), own.clone()].concat();
            assert!(
                rejoined == of_path || (rest == "/" && whole == of_path),
                "{pattern} of {path}: {rest}"
            );
            if let Some((_, value)) = parameters.last()
                && pattern.ends_with('}')
            {
                let kept = from_segment(&path, pattern).expect("it has the segment");
                let renamed = with_first_segment(kept, value);
                assert_eq!(
                    decode_all(&renamed),
                    decode_all(kept),
                    "{pattern} of {path}"
                );
            }
        }
    }
);

/// Returns the segments of a pattern with its parameters filled in.
fn with_parameters(pattern: &str, parameters: &[(&str, String)]) -> Vec<Vec<u8>> {
    let mut values = parameters.iter();
    let segments = pattern.split('/').skip(1);
    segments
        .map(|segment| match segment.starts_with('{') {
            true => values.next().expect("one for each").1.clone().into_bytes(),
            false => segment.as_bytes().to_vec(),
        })
        .collect()
}

fn decode_all(path: &str) -> Vec<Vec<u8>> {
    path.split('/').skip(1).map(decoded).collect()
}

target!(
    query_strings_are_read_as_the_url_standard_says,
    produce::<Vec<Piece>>(),
    |pieces| {
        let query = text_of(pieces);
        for pair in query.split('&') {
            let theirs = form_urlencoded::parse(pair.as_bytes()).next();
            match query_pairs(pair).next() {
                Some((key, value)) => {
                    assert_eq!(theirs, Some((key.into(), value.into())), "{pair:?}");
                }
                // A part that is not UTF-8 is omitted instead of replaced.
                None => assert!(
                    theirs.is_none_or(|(key, value)| [key, value].concat().contains('\u{fffd}')),
                    "{pair:?}"
                ),
            }
        }
    }
);

target!(
    query_value_that_is_set_is_the_only_one_of_its_name,
    produce::<(Vec<Piece>, Option<String>, String)>(),
    |(pieces, name, value)| {
        let query = text_of(pieces);
        let name = name.as_deref().unwrap_or("user");
        let pairs = |query: &str| query_pairs(query).collect::<Vec<_>>();
        let mut expected = pairs(&query);
        expected.retain(|(key, _)| key != name);
        assert_eq!(pairs(&query_without(&query, name)), expected, "{query:?}");
        expected.push((name.to_owned(), value.clone()));
        assert_eq!(
            pairs(&with_query_value(&query, name, value)),
            expected,
            "{query:?}"
        );
    }
);
