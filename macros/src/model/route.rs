//! HTTP routes: `#[get("/messages/{id}", status = 201)]`.

use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::Parser;
use syn::{Attribute, Ident, LitInt, LitStr};

use crate::attr::{Arguments, RawOption, as_string};
use crate::diag::Diagnostics;
use crate::names::argument_name;
use crate::options;
use crate::parse::{RawRole, RoleName};

use super::Whole;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HttpMethod {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl HttpMethod {
    /// `None` if the role is not a route.
    pub fn of(role: RoleName) -> Option<Self> {
        match role {
            // An upgrade is a GET request.
            RoleName::Get | RoleName::WebSocket => Some(Self::Get),
            RoleName::Post => Some(Self::Post),
            RoleName::Put => Some(Self::Put),
            RoleName::Patch => Some(Self::Patch),
            RoleName::Delete => Some(Self::Delete),
            RoleName::Init
            | RoleName::Rpc
            | RoleName::Alarm
            | RoleName::Message
            | RoleName::Close
            | RoleName::Error => None,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// Whether arguments that the path does not bind are read from the body.
    pub fn has_body(self) -> bool {
        matches!(self, Self::Post | Self::Put | Self::Patch)
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Segment {
    Literal(String),
    Parameter(String),
}

pub struct Route<'a> {
    pub attribute: &'a Attribute,
    pub role: RoleName,
    pub method: HttpMethod,
    pub path: LitStr,
    pub segments: Vec<Segment>,
    pub status: Option<Status>,
    /// `max_body = "16 MiB"`, in bytes.
    pub max_body: Option<u64>,
}

/// `status = 201`.
pub struct Status {
    pub key: Ident,
    pub literal: LitInt,
    pub code: u16,
}

impl Status {
    fn from_option(diagnostics: &Diagnostics, option: RawOption, is_upgrade: bool) -> Option<Self> {
        if is_upgrade {
            diagnostics.error(
                &option.key,
                "`#[websocket]` takes no `status`: a successful upgrade is always 101\nhelp: to refuse one, return an error, which carries its status",
            );
            return None;
        }
        let literal = diagnostics.ok_or_report(option.integer("status = 201"))?;
        match literal.base10_parse::<u16>() {
            Ok(code) if (200..400).contains(&code) => Some(Self {
                key: option.key,
                literal,
                code,
            }),
            _ => {
                diagnostics.error(
                    &literal,
                    "`status` must be between 200 and 399; the status of an error comes from its type",
                );
                None
            }
        }
    }

    /// Whether HTTP allows a response with this status to have a body.
    pub fn allows_body(&self) -> bool {
        !matches!(self.code, 204 | 205 | 304)
    }
}

impl<'a> Route<'a> {
    pub fn from_raw(diagnostics: &Diagnostics, role: &'a RawRole) -> Option<Self> {
        let method = HttpMethod::of(role.name)?;
        let name = role.name.attribute();
        let shape = format!("#[{name}(\"/path/{{parameter}}\")]");
        let mut arguments = diagnostics.ok_or_report(Arguments::of(&role.attribute, &shape))?;
        if let Some(option) = arguments.take("path") {
            diagnostics.error(
                &option.key,
                format!("the path is the first argument and has no name\nhelp: write `{shape}`"),
            );
            return None;
        }
        let is_upgrade = role.name == RoleName::WebSocket;
        let accepted = options::of_role(role.name);
        let leading = arguments.take_leading();
        let path = leading.as_ref().and_then(as_string).cloned();
        let in_place_of_path = match (&path, leading) {
            (Some(_), _) => None,
            (None, Some(expression)) => Some(expression.to_token_stream()),
            (None, None) => arguments
                .take_unnamed(accepted)
                .map(ToTokens::into_token_stream),
        };
        if let Some(other) = in_place_of_path {
            diagnostics.error(
                other,
                format!("the path must be a string literal, because it is checked here\nhelp: write `{shape}`"),
            );
            return None;
        }
        let status = arguments
            .take("status")
            .and_then(|option| Status::from_option(diagnostics, option, is_upgrade));
        let max_body = if method.has_body() {
            arguments.take("max_body")
        } else {
            None
        };
        let max_body = max_body
            .and_then(|option| diagnostics.ok_or_report(option.string("max_body = \"16 MiB\"")))
            .and_then(|literal| diagnostics.ok_or_report(size(&literal)));
        arguments.reject_rest(diagnostics, name, accepted);
        let Some(path) = path else {
            diagnostics.error(
                &role.attribute,
                format!("`#[{name}]` needs the path of its route\nhelp: write `{shape}`"),
            );
            return None;
        };
        let segments = diagnostics.ok_or_report(parse_path(&path))?;
        Some(Self {
            attribute: &role.attribute,
            role: role.name,
            method,
            path,
            segments,
            status,
            max_body,
        })
    }

    pub fn is_upgrade(&self) -> bool {
        self.role == RoleName::WebSocket
    }

    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Parameter(name) => Some(name.as_str()),
            Segment::Literal(_) => None,
        })
    }

    /// Returns the path with parameter names in the form that other callers use.
    pub fn canonical_path(&self) -> String {
        if self.segments.is_empty() {
            return String::from("/");
        }
        let mut path = String::new();
        for segment in &self.segments {
            match segment {
                Segment::Literal(text) => path.extend(["/", text]),
                Segment::Parameter(name) => path.extend(["/{", name, "}"]),
            }
        }
        path
    }

    /// Whether the path binds the argument with this name.
    pub fn has_parameter(&self, argument: &str) -> bool {
        self.parameters().any(|parameter| parameter == argument)
    }

    /// Whether the argument with this name is read from text, either in the path or in the query
    /// string.
    pub fn reads_as_text(&self, argument: &str) -> bool {
        self.has_parameter(argument) || !self.method.has_body()
    }

    /// Returns the part of the request from which arguments that the path does not bind are read by
    /// name.
    pub fn part_of_names(&self) -> Whole {
        if self.method.has_body() {
            Whole::Body
        } else {
            Whole::Query
        }
    }

    /// Whether a request can match both routes with equal priority.
    pub fn collides_with(&self, other: &Self) -> bool {
        self.method == other.method
            && self.segments.len() == other.segments.len()
            && self
                .segments
                .iter()
                .zip(&other.segments)
                .all(|pair| match pair {
                    (Segment::Literal(left), Segment::Literal(right)) => left == right,
                    (Segment::Parameter(_), Segment::Parameter(_)) => true,
                    (Segment::Literal(_), Segment::Parameter(_))
                    | (Segment::Parameter(_), Segment::Literal(_)) => false,
                })
    }
}

/// The largest size of a body that a route may state. `usize` has 32 bits on wasm.
const LARGEST: u64 = 2 * 1024 * 1024 * 1024;

/// Reads a size such as `"16 MiB"`.
fn size(literal: &LitStr) -> syn::Result<u64> {
    let text = literal.value();
    let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
    let size = units.iter().find_map(|(unit, bytes)| {
        let number: u64 = text.strip_suffix(unit)?.trim_end().parse().ok()?;
        number.checked_mul(*bytes)
    });
    match size {
        Some(size) if (1..=LARGEST).contains(&size) => Ok(size),
        Some(_) => Err(syn::Error::new_spanned(
            literal,
            "`max_body` must be between 1 KiB and 2 GiB",
        )),
        None => Err(syn::Error::new_spanned(
            literal,
            format!(
                "`{text}` is not a size\nhelp: write a whole number of KiB, MiB or GiB, for example `\"16 MiB\"`"
            ),
        )),
    }
}

fn parse_path(literal: &LitStr) -> syn::Result<Vec<Segment>> {
    let path = literal.value();
    let wrong = |message: String| syn::Error::new_spanned(literal, message);
    if path.contains("://") {
        return Err(wrong(String::from(
            "a route is a path, without scheme and host\nhelp: write for example `\"/notes\"`",
        )));
    }
    let Some(rest) = path.strip_prefix('/') else {
        return Err(wrong(format!(
            "a path must start with `/`\nhelp: write `\"/{path}\"`"
        )));
    };
    if rest.is_empty() {
        return Ok(Vec::new());
    }
    let is_parameter = |text: &&str| text.starts_with('{') && text.ends_with('}');
    let mut literals = rest.split('/').filter(|text| !is_parameter(text));
    if literals.any(|text| text.contains(['?', '#'])) {
        return Err(wrong(String::from(
            "a path cannot contain a query string\nhelp: leave it out: arguments that are not in the path are read from the query string automatically",
        )));
    }
    if let Some(trimmed) = path.strip_suffix('/') {
        return Err(wrong(format!(
            "a path cannot end in `/`\nhelp: write `\"{trimmed}\"`"
        )));
    }
    let mut segments = Vec::new();
    for text in rest.split('/') {
        let segment = parse_segment(text).map_err(&wrong)?;
        if let Segment::Parameter(name) = &segment
            && segments.contains(&segment)
        {
            return Err(wrong(format!(
                "the parameter `{{{name}}}` appears twice in this path"
            )));
        }
        segments.push(segment);
    }
    Ok(segments)
}

fn parse_segment(text: &str) -> Result<Segment, String> {
    if text.is_empty() {
        return Err(String::from("a path cannot have an empty segment (`//`)"));
    }
    if let Some(name) = text
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'))
    {
        return match Ident::parse_any.parse_str(name) {
            Ok(identifier) if is_argument_name(&identifier) => {
                Ok(Segment::Parameter(argument_name(&identifier)))
            }
            _ => Err(format!(
                "`{text}` is not a valid parameter\nhelp: write the name of an argument, as in `{{id}}`; its type comes from the argument"
            )),
        };
    }
    if let Some(name) = text.strip_prefix(':') {
        return Err(format!(
            "a parameter is written in braces\nhelp: write `{{{name}}}` instead of `:{name}`"
        ));
    }
    if text.contains(['{', '}', '*']) {
        return Err(format!(
            "a parameter must be a whole segment, as in `/{{id}}`; found `{text}`"
        ));
    }
    if text == "." || text == ".." {
        return Err(format!(
            "no request matches a path with the segment `{text}`\nhelp: remove the segment"
        ));
    }
    if text.contains('%') {
        return Err(String::from(
            "a path is written without percent-encoding\nhelp: write the character itself: requests match in any spelling",
        ));
    }
    if text.contains('\\') || text.chars().any(char::is_control) {
        return Err(String::from(
            "no request matches a path with a backslash or a control character\nhelp: remove the character",
        ));
    }
    if text.chars().any(char::is_whitespace) {
        return Err(String::from("a path cannot contain spaces"));
    }
    Ok(Segment::Literal(text.to_owned()))
}

/// Returns `false` for names that an argument cannot have: `_`, `self`.
fn is_argument_name(identifier: &Ident) -> bool {
    !argument_name(identifier).is_empty()
        && !["self", "Self", "super", "crate"]
            .iter()
            .any(|word| identifier == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Result<Vec<Segment>, String> {
        parse_path(&LitStr::new(text, proc_macro2::Span::call_site()))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn paths_split_into_literals_and_parameters() {
        assert_eq!(path("/"), Ok(Vec::new()));
        assert_eq!(
            path("/m/{id}"),
            Ok(vec![
                Segment::Literal(String::from("m")),
                Segment::Parameter(String::from("id")),
            ])
        );
    }

    #[test]
    fn sizes_have_a_unit_and_bounds() {
        let bytes = |text: &str| {
            let literal = LitStr::new(text, proc_macro2::Span::call_site());
            size(&literal).map_err(|error| error.to_string())
        };
        assert_eq!(bytes("16 MiB"), Ok(16 << 20));
        assert_eq!(bytes("1KiB"), Ok(1024));
        assert_eq!(bytes("2 GiB"), Ok(2 << 30));
        for text in [
            "",
            "16",
            "16 MB",
            "-1 MiB",
            "0 MiB",
            "3 GiB",
            "1.5 MiB",
            "99999999999999999 GiB",
        ] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn malformed_paths_are_refused() {
        for text in [
            "",
            "m",
            "/m/",
            "//",
            "/a//b",
            "/m?x=1",
            "/{id",
            "/a{id}",
            "/{}",
            "/:id",
            "/{*rest}",
            "/a b",
            "/{x}/{x}",
            "/{_}",
            "/{self}",
            "https://example.com/a",
            "/a/../b",
            "/.",
            "/a%2fb",
            "/a\\b",
            "/a\u{1}",
        ] {
            assert!(path(text).is_err(), "{text}");
        }
    }
}
