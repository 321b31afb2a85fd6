//! Identifiers and names.

use conformance::{Identity, ParsedId};
use host_tests::{Client, Host};
use serde_json::json;

use crate::case::Case;

pub const CASES: &[Case] = &[
    Case::together("an id is 64 hexadecimal digits of one class", "P70", digits),
    Case::together("a foreign or malformed id leads nowhere", "P70", foreign),
    Case::together(
        "a name reaches its object, up to 1,024 bytes; through an id it does not",
        "P71",
        names,
    ),
    Case::alone("the id of a name outlives the process", "P70", lasting),
];

fn identity(client: &Client, path: &str) -> Identity {
    client.get(path).json()
}

fn parse(client: &Client, hex: &str) -> ParsedId {
    client.get(&format!("/parse-id?hex={hex}")).json()
}

fn digits(client: &Client) {
    let by_name = identity(client, "/names/digits");
    let unique: String = client.post("/new-id", json!({})).json();
    let other: String = client.post("/new-id", json!({})).json();
    assert_ne!(unique, other);
    assert_eq!(identity(client, "/names/digits").id, by_name.id);
    assert_ne!(identity(client, "/names/digits2").id, by_name.id);
    for id in [&by_name.id, &unique] {
        assert!(
            id.len() == 64
                && id
                    .bytes()
                    .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')),
            "{id}"
        );
        let parsed = parse(client, id);
        assert_eq!(parsed.by_id_probe.as_ref(), Ok(id));
        assert!(parsed.by_peer.is_err(), "the other class takes {id}");
        assert_eq!(&identity(client, &format!("/ids/{id}")).id, id);
        assert_eq!(
            parse(client, &id.to_uppercase()).by_id_probe.as_ref(),
            Ok(id)
        );
    }
}

fn foreign(client: &Client) {
    let id = identity(client, "/names/foreign").id;
    let (first, rest) = id.split_at(1);
    let forged = format!("{}{rest}", if first == "0" { "1" } else { "0" });
    let not_hex = "g".repeat(64);
    let zero = "0".repeat(64);
    let longer = format!("{id}0");
    for (hex, complaint) in [
        ("", "64 hexadecimal digits"),
        (&id[..63], "64 hexadecimal digits"),
        (longer.as_str(), "64 hexadecimal digits"),
        (not_hex.as_str(), "64 hexadecimal digits"),
        (zero.as_str(), "not made for"),
        (forged.as_str(), "not made for"),
    ] {
        let complained = parse(client, hex)
            .by_id_probe
            .expect_err("the id is refused");
        assert!(complained.contains(complaint), "{hex}: {complained}");
        let expected = if hex.is_empty() {
            404
        } else {
            client.get(&format!("/ids/{hex}")).status
        };
        assert_eq!(expected, 404, "{hex}");
    }
}

fn names(client: &Client) {
    let longest = "n".repeat(1_024);
    for (path, name) in [
        ("plain", "plain"),
        ("a%2Fb%20c", "a/b c"),
        ("%C3%BC%F0%9F%98%80", "ü😀"),
        ("100%25", "100%"),
        ("..%2F", "../"),
        (longest.as_str(), longest.as_str()),
    ] {
        assert_eq!(
            identity(client, &format!("/names/{path}")).name.as_deref(),
            Some(name)
        );
    }
    client.get(&format!("/names/{longest}n")).expect_status(400);
    let unique: String = client.post("/new-id", json!({})).json();
    assert_eq!(identity(client, &format!("/ids/{unique}")).name, None);
}

fn lasting(host: &mut Host) {
    let path = "/names/lasting";
    let before = identity(&host.client(), path);
    host.kill();
    host.restart();
    assert_eq!(identity(&host.client(), path), before);
    assert_eq!(
        parse(&host.client(), &before.id).by_id_probe.as_ref(),
        Ok(&before.id)
    );
}
