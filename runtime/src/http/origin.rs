//! Origins of pages.

/// Returns `true` if browsers may send this origin: `scheme://host` or `scheme://host:port` (RFC
/// 6454, section 6.2).
pub(crate) fn is_origin(text: &str) -> bool {
    let Some((scheme, authority)) = text.split_once("://") else {
        return false;
    };
    let is_plain = !authority.contains(|mark: char| {
        matches!(mark, '/' | '?' | '#' | '@') || mark.is_whitespace() || mark.is_control()
    });
    // Browsers omit the scheme's default port. An IPv6 address has colons inside its brackets.
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let has_port = match (scheme, port) {
        ("http", Some("80")) | ("https", Some("443")) => false,
        (_, port) => port.is_none_or(|port| port.parse::<u16>().is_ok()),
    };
    !scheme.is_empty() && !host.is_empty() && is_plain && has_port
}

/// Returns `true` if a page of this origin is one of the host itself. Other schemes are excluded,
/// because an extension may have the host's name.
pub(crate) fn is_page_of(origin: &str, host: &str) -> bool {
    origin.split_once("://").is_some_and(|(scheme, rest)| {
        matches!(scheme, "http" | "https") && rest.eq_ignore_ascii_case(host)
    })
}

#[cfg(test)]
mod tests {
    use super::is_origin;

    #[test]
    fn origins_are_what_browsers_send() {
        for origin in [
            "https://a.example",
            "http://a.example:8080",
            "http://[::1]:8080",
            "http://[::1]",
            "chrome-extension://abc",
        ] {
            assert!(is_origin(origin), "{origin}");
        }
        for other in [
            "https://a.example/",
            "a.example",
            "https://a.example:443",
            "http://a.example:80",
            "https://a.example/page",
            "https://ann@a.example",
            "https://a.example:port",
            "https://",
            "null",
            "*",
        ] {
            assert!(!is_origin(other), "{other}");
        }
    }
}
