//! How the app reaches an object: paths, headers, calls without a waiting caller.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use host_tests::{Client, Kind, eventually};
use serde_json::{Value, json};

use crate::case::Case;

pub const CASES: &[Case] = &[
    Case::together(
        "a path that reads in two ways is 400 before anything looks",
        "",
        ambiguous_paths,
    ),
    Case::together("a path has one form, however it is spelled", "", spellings),
    Case::together(
        "a header that HTTP does not allow is an error and not left out",
        "",
        headers,
    ),
    Case::together(
        "a whole query string is decoded into a struct, and a misfit names its field",
        "",
        queries,
    ),
    Case::together(
        "a list in place of an object is refused, and does not bind to the first fields",
        "",
        lists,
    ),
    Case::together(
        "the app's own handlers have every method, and a fallback has the rest",
        "",
        app_handlers,
    ),
    Case::together(
        "the client's address is the connection's, whatever headers say",
        "",
        socket_address,
    )
    .only_on(Kind::Embedded, "workerd does not know the connection"),
    Case::together(
        "the client's address is the one that Cloudflare states",
        "",
        stated_address,
    )
    .only_on(Kind::Workerd, "any client may send the header elsewhere"),
    Case::together(
        "a call back from background work waits for the turn and is no cycle",
        "",
        background,
    ),
];

/// Sends a request target unchanged. Returns the status and the body.
fn get_raw(client: &Client, target: &str) -> (u16, String) {
    let address = client.base().trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).expect("the host listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("a connected stream");
    let request = format!("GET {target} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream
        .write_all(request.as_bytes())
        .expect("the host reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("the host answers");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.get(9..12).and_then(|status| status.parse().ok());
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status.unwrap_or(0), body.to_owned())
}

fn ambiguous_paths(client: &Client) {
    for target in [
        "/doors/a/\\seen",
        "/doors/a\\seen",
        "/doors/a/.\\seen",
        "/doors/a/./seen",
        "/doors/a/%2e/seen",
        "/doors/a/x/../seen",
        "/doors/a/x/%2e%2e/seen",
        "/doors/a/x/.%2E/seen",
        "/doors/../doors/a/seen",
        "/doors/a/seen/..",
        "/../doors/a/seen",
    ] {
        let (status, body) = get_raw(client, target);
        assert_eq!(status, 400, "{target}: {body}");
        assert!(body.contains("bad_request"), "{target}: {body}");
    }
    for path in ["/x/../seen", "/%2e%2e/seen", "/\\seen"] {
        let query = path.replace('%', "%25").replace('\\', "%5C");
        let answer = client.get(&format!("/door-path?path={query}"));
        assert!(answer.status >= 400, "{path}: {}", answer.text());
    }
}

fn spellings(client: &Client) {
    for target in [
        "/doors/a/seen",
        "/doors/a/s%65en",
        "/d%6Fors/%61/%73een",
        "/doors/a/seen?x=1",
    ] {
        assert_eq!(
            get_raw(client, target),
            (200, "/seen ".to_owned()),
            "{target}"
        );
    }
    for target in [
        "//doors/a/seen",
        "/doors//a/seen",
        "/doors/a//seen",
        "/doors/a/seen/",
        "/doors/a/%2Fseen",
        "/doors/a/%5Cseen",
        "/doors/a/seen;x=1",
        "/doors/a/seen%00",
        "/doors/a/seen%ff",
    ] {
        let (status, body) = get_raw(client, target);
        assert_eq!(status, 404, "{target}: {body}");
    }
    for (page, meant) in [
        ("x%2Fy", "x/y"),
        ("x%5Cy", "x\\y"),
        ("100%", "100%"),
        ("%zz", "%zz"),
        ("%252e%252e", "%2e%2e"),
        ("...", "..."),
        ("%C3%BC%20", "ü "),
        ("a;b=c", "a;b=c"),
        ("{a}|%7Cb", "{a}||b"),
    ] {
        let body = serde_json::to_string(meant).expect("text is JSON");
        let target = format!("/doors/a/page/{page}");
        assert_eq!(get_raw(client, &target), (200, body), "{target}");
    }
    for (path, seen) in [
        ("/seen", "/seen "),
        ("seen", "/seen "),
        ("/s%2565en", "/seen "),
    ] {
        let answer = client
            .get(&format!("/door-path?path={path}"))
            .expect_status(200);
        assert_eq!(answer.text(), seen, "{path}");
    }
}

fn headers(client: &Client) {
    for value in ["a%0Ab", "a%0Db", "a%00b", "a%7Fb", "%C3%A9", "%F0%9F%98%80"] {
        for path in ["/door-header", "/doors/headers/answer"] {
            let answer = client
                .get(&format!("{path}?value={value}"))
                .expect_status(500);
            assert_eq!(
                answer.error_code().as_deref(),
                Some("configuration"),
                "{path} {value}"
            );
            assert!(
                answer.text().contains("header"),
                "{path} {value}: {}",
                answer.text()
            );
        }
    }
    for (value, seen) in [
        ("ann", "ann"),
        ("%20padded%20", "padded"),
        ("", ""),
        ("a%09b", "a\tb"),
    ] {
        let answer = client
            .get(&format!("/door-header?value={value}"))
            .expect_status(200);
        assert_eq!(answer.text(), format!("/seen {seen}"));
        let answer = client
            .get(&format!("/doors/headers/answer?value={value}"))
            .expect_status(200);
        assert_eq!(answer.header("x-value"), Some(seen));
    }
}

fn queries(client: &Client) {
    let object = client.at("/doors/queries");
    let found = json!(["new", { "page": 2, "author": "ann b" }]);
    let answer = object.get("/search/new?author=ann+b&page=2&page=3");
    assert_eq!(answer.json::<Value>(), found);
    let answer = object.post("/search/new?page=2&author=ann%20b", json!({}));
    assert_eq!(answer.json::<Value>(), found);
    let answer = object.get("/search-by-rpc?page=7");
    assert_eq!(
        answer.json::<Value>(),
        json!(["called", { "page": 7, "author": null }])
    );
    for (query, named) in [("", "page"), ("page=x", "page"), ("page=1&pgae=2", "pgae")] {
        let answer = object
            .get(&format!("/search/new?{query}"))
            .expect_status(400);
        assert!(
            answer.text().contains(&format!("`{named}`")),
            "{}",
            answer.text()
        );
    }
}

fn lists(client: &Client) {
    let object = client.at("/doors/lists");
    let filter = json!({ "page": 2, "author": "ann" });
    let list = json!([2, "ann"]);
    let answer = object.post("/filter", filter.clone());
    assert_eq!(answer.json::<Value>(), filter);
    let named = json!({ "filter": filter, "others": [filter] });
    let answer = object.post("/filter-by-name", named);
    assert_eq!(answer.json::<Value>(), json!([filter, 1]));
    for (path, body, what) in [
        ("/filter", list.clone(), "invalid body"),
        (
            "/filter-by-name",
            json!({ "filter": list, "others": [] }),
            "`filter`",
        ),
        (
            "/filter-by-name",
            json!({ "filter": filter, "others": [filter, list] }),
            "`others`",
        ),
    ] {
        let answer = object.post(path, body).expect_status(400);
        let text = answer.text();
        assert!(
            text.contains(what) && text.contains("the value is a list, expected an object"),
            "{text}"
        );
    }
}

fn background(client: &Client) {
    let object = client.at("/doors/background");
    object
        .post("/work-beside", json!({ "other": "background-other" }))
        .done();
    let marks = eventually(Duration::from_secs(20), || {
        let (marks, failures): (u32, Vec<String>) = object.get("/marks").json();
        assert!(failures.is_empty(), "{failures:?}");
        (marks == 11).then_some(())
    });
    marks.expect("the call back is answered after the turn");
}

fn addresses(client: &Client, headers: &[(&str, &str)]) -> [String; 2] {
    ["/address", "/doors/addresses/address"].map(|path| {
        let answer = client.send("GET", path, headers, None);
        answer.unwrap_or_else(|error| panic!("{error}")).json()
    })
}

fn socket_address(client: &Client) {
    for headers in [
        &[][..],
        &[("cf-connecting-ip", "192.0.2.7")],
        &[("x-forwarded-for", "192.0.2.7")],
    ] {
        assert_eq!(addresses(client, headers), ["127.0.0.1"; 2], "{headers:?}");
    }
}

fn stated_address(client: &Client) {
    for (headers, expected) in [
        (&[][..], "none"),
        (&[("x-forwarded-for", "192.0.2.7")], "none"),
        (&[("cf-connecting-ip", "192.0.2.7")], "192.0.2.7"),
        (&[("cf-connecting-ip", "2001:db8::1")], "2001:db8::1"),
        (&[("cf-connecting-ip", "unknown")], "none"),
    ] {
        assert_eq!(addresses(client, headers), [expected; 2], "{headers:?}");
    }
}

fn app_handlers(client: &Client) {
    for (method, path, status, said) in [
        ("DELETE", "/methods/a%2Fb", 200, "DELETE a/b"),
        ("PROPFIND", "/methods/a", 200, "PROPFIND a"),
        ("GET", "/asset.txt", 200, "an asset\n"),
        ("HEAD", "/asset.txt", 200, ""),
        ("GET", "/missing.txt", 404, "GET /missing.txt is nowhere"),
        ("POST", "/missing.txt", 404, "POST /missing.txt is nowhere"),
        ("GET", "/methods", 404, "GET /methods is nowhere"),
        (
            "GET",
            "/methods/a",
            405,
            "this path answers DELETE, PROPFIND, OPTIONS",
        ),
    ] {
        let answer = client.send(method, path, &[], None);
        let answer = answer.unwrap_or_else(|error| panic!("{error}"));
        let text = answer.error_message().unwrap_or_else(|| answer.text());
        assert_eq!((answer.status, &*text), (status, said), "{method} {path}");
    }
}
