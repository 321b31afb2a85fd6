//! Requests of pages of other origins (S1), methods that the framework answers, content types.

use host_tests::{Answer, Client};

use crate::case::Case;

pub const CASES: &[Case] = &[
    Case::together(
        "pages of other origins send no unsafe requests unless allowed",
        "",
        unsafe_requests,
    ),
    Case::together(
        "pages of allowed origins read responses, and others do not",
        "",
        readable_responses,
    ),
    Case::together("a preflight names the methods of the path", "", preflights),
    Case::together("HEAD and OPTIONS are answered for each path", "", methods),
    Case::together(
        "a form of a browser binds to no arguments",
        "",
        content_types,
    ),
];

const FRIEND: (&str, &str) = ("origin", "https://friend.example");
const FOREIGN: (&str, &str) = ("origin", "https://evil.example");
const JSON: (&str, &str) = ("content-type", "application/json");

fn send(client: &Client, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let body = (method == "POST").then_some(&b"{\"page\": 1}"[..]);
    client
        .send(method, path, headers, body)
        .unwrap_or_else(|error| panic!("{error}"))
}

/// Origin, credentials, exposed headers, `Vary`.
fn cors(answer: &Answer) -> [Option<&str>; 4] {
    [
        "access-control-allow-origin",
        "access-control-allow-credentials",
        "access-control-expose-headers",
        "vary",
    ]
    .map(|name| answer.header(name))
}

const READABLE: [Option<&str>; 4] = [
    Some("https://friend.example"),
    Some("true"),
    Some("x-value"),
    Some("Origin"),
];
const HIDDEN: [Option<&str>; 4] = [None, None, None, Some("Origin")];

fn unsafe_requests(client: &Client) {
    let own = client.base().to_owned();
    for (headers, status) in [
        (&[JSON][..], 200),
        (&[JSON, ("origin", &own)], 200),
        (&[JSON, ("sec-fetch-site", "same-origin")], 200),
        (&[JSON, FRIEND, ("sec-fetch-site", "cross-site")], 200),
        (&[JSON, FOREIGN], 403),
        (&[JSON, ("origin", "null")], 403),
        (&[JSON, ("sec-fetch-site", "cross-site")], 403),
        (&[JSON, ("sec-fetch-site", "same-site")], 403),
    ] {
        let answer = send(client, "POST", "/doors/origins/filter", headers);
        assert_eq!(answer.status, status, "{headers:?}: {}", answer.text());
        // The app's own handler.
        let answer = send(client, "POST", "/new-id", headers);
        let status = if status == 200 { 201 } else { status };
        assert_eq!(answer.status, status, "{headers:?}: {}", answer.text());
    }
    let answer = send(client, "POST", "/doors/origins/filter", &[JSON, FOREIGN]);
    assert_eq!(answer.error_code().as_deref(), Some("forbidden"));
    assert_eq!(cors(&answer), HIDDEN);
}

fn readable_responses(client: &Client) {
    for (path, status) in [
        ("/doors/origins/seen", 200),
        ("/doors/origins/nowhere", 404),
        ("/doors/origins/answer?value=%C3%A9", 500),
        ("/healthz", 200),
        ("/nowhere", 404),
        ("/ids/7/seen", 404),
    ] {
        for (headers, expected) in [
            (&[FRIEND][..], READABLE),
            (&[FOREIGN], HIDDEN),
            (&[], HIDDEN),
        ] {
            let answer = send(client, "GET", path, headers);
            assert_eq!(answer.status, status, "{path}: {}", answer.text());
            assert_eq!(cors(&answer), expected, "{path} {headers:?}");
        }
    }
    let body = vec![b' '; (1 << 20) + 1];
    let answer = client
        .send(
            "POST",
            "/doors/origins/filter",
            &[JSON, FRIEND],
            Some(&body),
        )
        .unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((answer.status, cors(&answer)), (413, READABLE));
}

fn preflights(client: &Client) {
    let preflight = |path, origin| {
        let headers = [
            origin,
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "content-type,x-client"),
        ];
        send(client, "OPTIONS", path, &headers)
    };
    for (path, methods) in [
        ("/doors/origins/search/new", "GET, HEAD, POST, OPTIONS"),
        ("/doors/origins/filter", "POST, OPTIONS"),
        ("/new-id", "POST, OPTIONS"),
    ] {
        let answer = preflight(path, FRIEND);
        assert_eq!(answer.status, 204, "{path}: {}", answer.text());
        let allowed = answer.header("access-control-allow-methods");
        assert_eq!(allowed, Some(methods), "{path}");
        let headers = answer.header("access-control-allow-headers");
        assert_eq!(headers, Some("content-type,x-client"), "{path}");
        assert_eq!(cors(&answer), READABLE, "{path}");
        let answer = preflight(path, FOREIGN);
        assert_eq!((answer.status, cors(&answer)), (403, HIDDEN), "{path}");
    }
    assert_eq!(preflight("/nowhere", FRIEND).status, 404);
}

fn methods(client: &Client) {
    for (path, methods) in [
        ("/doors/methods/search/new", "GET, HEAD, POST, OPTIONS"),
        ("/doors/methods/filter", "POST, OPTIONS"),
        ("/healthz", "GET, HEAD, OPTIONS"),
    ] {
        let answer = send(client, "OPTIONS", path, &[]);
        assert_eq!(
            (answer.status, answer.header("allow")),
            (204, Some(methods)),
            "{path}"
        );
        let answer = send(client, "PATCH", path, &[]);
        assert_eq!(
            (answer.status, answer.header("allow")),
            (405, Some(methods)),
            "{path}"
        );
    }
    for path in ["/doors/methods/seen", "/healthz"] {
        let answer = send(client, "HEAD", path, &[]);
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{path}");
    }
}

fn content_types(client: &Client) {
    let own = ("sec-fetch-site", "same-origin");
    for (headers, status) in [
        (&[][..], 200),
        (&[own], 200),
        (&[JSON, own], 200),
        (&[("content-type", "application/problem+json"), own], 200),
        (&[("content-type", "text/plain")], 200),
        (
            &[("content-type", "application/x-www-form-urlencoded")],
            200,
        ),
        (&[("content-type", "text/plain"), own], 415),
        (
            &[("content-type", "application/x-www-form-urlencoded"), own],
            415,
        ),
        (
            &[("content-type", "multipart/form-data; boundary=x"), own],
            415,
        ),
        (&[("content-type", "text/plain"), FRIEND], 415),
        (&[("content-type", "application/xml")], 415),
    ] {
        let answer = send(client, "POST", "/doors/types/filter", headers);
        assert_eq!(answer.status, status, "{headers:?}: {}", answer.text());
    }
}
