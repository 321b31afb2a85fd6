//! The content types of bodies that bind to arguments.

use super::Request;
use crate::error::fault::Fault;

/// The types that the form of any page can send to any origin, without a preflight request.
const FORMS: [&str; 3] = [
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "text/plain",
];

/// Browsers send at least one of these with each request that has a body. Pages cannot set them.
const FROM_BROWSERS: [&str; 4] = [
    "origin",
    "sec-fetch-site",
    "sec-fetch-mode",
    "sec-fetch-dest",
];

/// Refuses a body that is not JSON by its type. A form's type is accepted from clients that are not
/// browsers, because it is what `curl --data` sends.
pub(crate) fn check(content_type: &str, request: &Request) -> Result<(), Fault> {
    let essence = content_type.split(';').next().unwrap_or_default();
    let essence = essence.trim().to_ascii_lowercase();
    if is_json(&essence) {
        return Ok(());
    }
    let is_form = FORMS.contains(&essence.as_str());
    let is_from_a_browser = || {
        FROM_BROWSERS
            .iter()
            .any(|name| request.header(name).is_some())
    };
    if is_form && !is_from_a_browser() {
        return Ok(());
    }
    Err(Fault::UnsupportedMediaType(format!(
        "the body's content type is `{}`; send JSON with `content-type: application/json`",
        essence.escape_debug()
    )))
}

/// As the MIME Sniffing Standard defines a JSON MIME type.
fn is_json(essence: &str) -> bool {
    matches!(essence, "application/json" | "text/json") || essence.ends_with("+json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn body_is_json_by_its_type_and_a_form_only_without_a_browser() {
        let accepts = |content_type: &str, header: Option<(&str, &str)>| {
            let mut request = Request::new("POST", "/");
            if let Some((name, value)) = header {
                request = request.with_header(name, value);
            }
            check(content_type, &request).is_ok()
        };
        let origin = Some(("origin", "https://own.example"));
        let navigation = Some(("sec-fetch-mode", "navigate"));
        for json in [
            "application/json",
            "Application/JSON; charset=utf-8",
            "application/problem+json",
            "text/json",
        ] {
            assert!(accepts(json, None) && accepts(json, origin), "{json}");
        }
        for form in [
            "text/plain",
            "TEXT/plain;charset=UTF-8",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=json",
        ] {
            assert!(accepts(form, None), "{form}");
            assert!(
                !accepts(form, origin) && !accepts(form, navigation),
                "{form}"
            );
        }
        for other in [
            "application/xml",
            "application/octet-stream",
            "json",
            "a/b;+json",
        ] {
            assert!(!accepts(other, None) && !accepts(other, origin), "{other}");
        }
    }
}
