//! Answers of every status, answers from outside, variables of the configuration.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use conformance::Fetched;
use host_tests::{Client, Host, Kind, Received};
use serde_json::{Value, json};

use crate::case::Case;

pub const CASES: &[Case] = &[
    Case::together(
        "an error whose status is no error's is answered with 500",
        "",
        odd_errors,
    ),
    Case::together(
        "a response has a status, a type and a body that HTTP can carry",
        "",
        odd_responses,
    ),
    // Large bodies fill an isolate's memory, which would affect its other objects.
    Case::alone(
        "an answer from outside is bounded in size",
        "",
        endless_answer,
    ),
    Case::together(
        "an answer from outside is bounded in time",
        "",
        silent_answers,
    )
    .slow(),
    Case::together(
        "variables of the configuration that are no text are their JSON",
        "",
        variables,
    )
    .only_on(Kind::Workerd, "the process's environment holds text only"),
    Case::together(
        "the client's Close is answered where the object says nothing",
        "P60",
        deaf,
    ),
];

fn odd_errors(client: &Client) {
    for status in [0, 42, 101, 200, 204, 205, 302, 304, 399, 600, 999, 65_535] {
        for path in [
            "/answers/errors/error",
            "/answers/errors/own-error",
            "/answers/errors/relayed-error",
            "/app-error",
        ] {
            let answer = client.get(&format!("{path}?status={status}"));
            assert_eq!(
                (answer.status, answer.error_code().as_deref()),
                (500, Some("odd")),
                "{path} with {status}: {}",
                answer.text()
            );
        }
    }
    for status in [400, 418, 499, 500, 599] {
        client
            .get(&format!("/answers/errors/error?status={status}"))
            .expect_status(status);
    }
}

fn odd_responses(client: &Client) {
    for path in ["/answers/responses/response", "/app-response"] {
        for status in [0, 42, 101, 199, 600, 999] {
            let answer = client.get(&format!("{path}?status={status}"));
            assert_eq!(
                (answer.status, answer.error_code().as_deref()),
                (500, Some("configuration")),
                "{path} with {status}: {}",
                answer.text()
            );
        }
        for status in [204, 205, 304] {
            let answer = client.get(&format!("{path}?status={status}"));
            assert_eq!((answer.status, answer.body.len()), (status, 0), "{path}");
        }
    }
    let path = "/differential/one-type/respond?status=200&name=content-type&value=a/b";
    let answer = client.get(path).expect_status(200);
    let types: Vec<_> = answer.headers.get_all("content-type").iter().collect();
    assert_eq!(types, ["a/b"], "a body has one type");
}

/// Serves one request with what `respond` writes. Returns its address.
fn served_once(respond: impl FnOnce(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound listener");
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the host calls");
        let mut request = [0; 4_096];
        let _ = stream.read(&mut request);
        respond(stream);
    });
    format!("http%3A%2F%2F{address}%2F")
}

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";

fn endless_answer(host: &mut Host) {
    let client = host.client();
    let url = served_once(|mut stream| {
        let _ = stream.write_all(HEAD);
        let chunk = [b'x'; 65_536];
        // Until the host cancels the request.
        while stream.write_all(&chunk).is_ok() {}
    });
    let fetched: Fetched = client
        .get(&format!("/answers/endless/fetch?url={url}"))
        .json();
    let Fetched::Failed { message, .. } = &fetched else {
        panic!("{fetched:?}")
    };
    assert!(message.contains("33554432 bytes"), "{message}");
    let large = 31 << 20;
    let url = served_once(move |mut stream| {
        let _ = stream.write_all(HEAD);
        let _ = stream.write_all(&vec![b'x'; large]);
    });
    let fetched: Fetched = client
        .get(&format!("/answers/large/fetch?url={url}"))
        .json();
    assert_eq!(
        fetched,
        Fetched::Answered {
            status: 200,
            bytes: large
        }
    );
}

fn silent_answers(client: &Client) {
    let begun = served_once(|mut stream| {
        let _ = stream.write_all(HEAD);
        let _ = stream.write_all(b"begun");
        // Until the host cancels the request.
        let _ = stream.read(&mut [0; 1]);
    });
    let silent = served_once(|mut stream| {
        let _ = stream.read(&mut [0; 1]);
    });
    std::thread::scope(|scope| {
        for (name, url) in [("begun", begun), ("silent", silent)] {
            scope.spawn(move || {
                let fetched: Fetched = client
                    .get(&format!("/answers/{name}/fetch?url={url}"))
                    .json();
                let Fetched::Failed { kind, message } = &fetched else {
                    panic!("{fetched:?}")
                };
                assert_eq!(kind, "timed_out", "{message}");
            });
        }
    });
}

fn variables(client: &Client) {
    for (name, text) in [
        ("TEXT", json!("text")),
        ("NUMBER", json!("7")),
        ("FLAG", json!("true")),
        ("LIST", json!(r#"[1,"a"]"#)),
        ("OBJECT", json!(r#"{"a":{"b":null}}"#)),
        ("NOTHING", json!("null")),
        ("PEER", json!(null)),
        ("ABSENT", json!(null)),
        ("constructor", json!(null)),
    ] {
        for path in ["/answers/variables/variable", "/variable"] {
            let value: Value = client.get(&format!("{path}?name={name}")).json();
            assert_eq!(value, text, "{path} of {name}");
        }
    }
}

fn deaf(client: &Client) {
    for code in [1_000, 3_000, 4_999] {
        let mut connection = client.connect("/deaf/a/ws");
        connection.close(code, "bye");
        let Received::Close { code: answer, .. } = connection.receive() else {
            panic!("no Close came for {code}")
        };
        assert_eq!(answer, code);
    }
}
