//! HTTP routes: `#[get("/messages/{id}", status = 201)]`.

use syn::{Attribute, Ident, LitStr};

use crate::attr::Arguments;
use crate::diag::Diagnostics;
use crate::parse::{RawRole, RoleName};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HttpMethod {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl HttpMethod {
    /// `None`: the role is no route.
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

    /// Whether arguments that the path does not bind come from the body.
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
    pub status: Option<u16>,
}

impl<'a> Route<'a> {
    pub fn from_raw(diagnostics: &Diagnostics, role: &'a RawRole) -> Option<Self> {
        let method = HttpMethod::of(role.name)?;
        let name = role.name.attribute();
        let shape = format!("#[{name}(\"/path/{{parameter}}\")]");
        let mut arguments = diagnostics.keep(Arguments::of(&role.attribute, &shape))?;
        if let Some(option) = arguments.take("path") {
            diagnostics.error(
                &option.key,
                format!("the path stands first, without a name: `{shape}`"),
            );
            return None;
        }
        let path = arguments.leading.take();
        let status = arguments.take("status").and_then(|option| {
            if role.name == RoleName::WebSocket {
                diagnostics.error(
                    &option.key,
                    "an upgrade answers 101: `#[websocket]` takes no `status`; refuse with an error that carries one",
                );
                return None;
            }
            let literal = diagnostics.keep(option.integer("status = 201"))?;
            match literal.base10_parse::<u16>() {
                Ok(status) if (200..400).contains(&status) => Some(status),
                _ => {
                    diagnostics.error(
                        &literal,
                        "the status of a success lies in 200..=399; a failure's comes from the error type",
                    );
                    None
                }
            }
        });
        let accepted: &[&str] = if role.name == RoleName::WebSocket {
            &[]
        } else {
            &["status"]
        };
        arguments.finish(diagnostics, name, accepted);
        let Some(path) = path else {
            diagnostics.error(
                &role.attribute,
                format!("`#[{name}]` needs the path of its route first: `{shape}`"),
            );
            return None;
        };
        let segments = diagnostics.keep(parse_path(&path))?;
        Some(Self {
            attribute: &role.attribute,
            role: role.name,
            method,
            path,
            segments,
            status,
        })
    }

    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Parameter(name) => Some(name.as_str()),
            Segment::Literal(_) => None,
        })
    }

    /// Whether the path itself binds the argument of this name.
    pub fn binds(&self, argument: &str) -> bool {
        self.parameters().any(|parameter| parameter == argument)
    }

    /// Whether some request fits both, and neither is the more literal one.
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

fn parse_path(literal: &LitStr) -> syn::Result<Vec<Segment>> {
    let path = literal.value();
    let wrong = |message: String| syn::Error::new_spanned(literal, message);
    let Some(rest) = path.strip_prefix('/') else {
        return Err(wrong(format!("a path starts with `/`: `\"/{path}\"`")));
    };
    if rest.is_empty() {
        return Ok(Vec::new());
    }
    if rest.contains(['?', '#']) {
        return Err(wrong(String::from(
            "a path has no query: arguments that it does not name are bound from the query string by themselves",
        )));
    }
    if let Some(trimmed) = path.strip_suffix('/') {
        return Err(wrong(format!(
            "a path does not end in `/`: `\"{trimmed}\"`"
        )));
    }
    let mut segments = Vec::new();
    for text in rest.split('/') {
        let segment = parse_segment(text).map_err(&wrong)?;
        if let Segment::Parameter(name) = &segment
            && segments.contains(&segment)
        {
            return Err(wrong(format!(
                "the parameter `{{{name}}}` stands twice in this path: rename one"
            )));
        }
        segments.push(segment);
    }
    Ok(segments)
}

fn parse_segment(text: &str) -> Result<Segment, String> {
    if text.is_empty() {
        return Err(String::from("a path has no empty segment (`//`)"));
    }
    if let Some(name) = text
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'))
    {
        return if syn::parse_str::<Ident>(name).is_ok() {
            Ok(Segment::Parameter(name.to_owned()))
        } else {
            Err(format!(
                "`{text}` is no parameter: write an argument's name, `{{id}}`"
            ))
        };
    }
    if let Some(name) = text.strip_prefix(':') {
        return Err(format!(
            "a parameter is written `{{{name}}}`, not `:{name}`"
        ));
    }
    if text.contains(['{', '}', '*']) {
        return Err(format!(
            "a parameter fills a whole segment, `/{{id}}/`; found `{text}`"
        ));
    }
    if text.chars().any(char::is_whitespace) {
        return Err(String::from("a path has no spaces"));
    }
    Ok(Segment::Literal(text.to_owned()))
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
    fn malformed_paths_are_refused() {
        for text in [
            "", "m", "/m/", "//", "/a//b", "/m?x=1", "/{id", "/a{id}", "/{}", "/:id", "/{*rest}",
            "/a b", "/{x}/{x}",
        ] {
            assert!(path(text).is_err(), "{text}");
        }
    }
}
