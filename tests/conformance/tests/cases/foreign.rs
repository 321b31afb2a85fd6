//! Cases that involve other programs: data that they wrote, and namespaces that only Cloudflare
//! has.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use conformance::{Contents, Profile};
use host_tests::{Answer, Application, Client, Host, Kind, eventually};
use serde_json::{Value, json};

use crate::case::Case;

const WORKERD: &str = "only workerd runs JavaScript";

pub const CASES: &[Case] = &[
    Case::alone(
        "what a class in JavaScript stored is read by its own type",
        "",
        adopted,
    )
    .only_on(Kind::Workerd, WORKERD),
    Case::alone(
        "a jurisdiction's ids are its own, however they are made",
        "P72",
        jurisdictions,
    )
    .only_on(
        Kind::Workerd,
        "a model of the namespace has to be in JavaScript",
    ),
    Case::alone(
        "a JavaScript caller's path is the object's own, and the app answers fetch only",
        "P65",
        caller,
    )
    .only_on(Kind::Workerd, WORKERD),
    Case::alone(
        "a caller's leaving is noticed through an app that replaces the body",
        "",
        replaced_body,
    ),
    Case::together(
        "where there are no jurisdictions every way in says so",
        "P72",
        no_jurisdictions,
    ),
];

const PROGRAM: &str = env!("CARGO_BIN_EXE_conformance");

/// Returns the folder of another app, with its bundle.
fn other_app(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(folder.join("build")).expect("a folder in `target`");
    fs::write(folder.join("Cargo.toml"), "").expect("a new folder is writable");
    folder
}

/// Returns the probes, from their own folder.
fn probes() -> Application {
    Application::new(PROGRAM, env!("CARGO_MANIFEST_DIR")).built_already()
}

fn adopted(host: &mut Host) {
    let folder = other_app("adopted");
    let configuration = json!({
        "name": "conformance",
        "compatibility_date": "2026-11-01",
        "durable_objects": { "bindings": [{ "name": "ADOPTED", "class_name": "Adopted" }] },
        "migrations": [{ "tag": "v1", "new_sqlite_classes": ["Adopted"] }],
    });
    fs::write(folder.join("wrangler.json"), configuration.to_string()).expect("it is writable");
    fs::write(folder.join("build/index.js"), include_str!("adopted.js")).expect("it is writable");
    // An empty module, because the task runner only serves bundles that have one.
    fs::write(folder.join("build/index_bg.wasm"), b"\0asm\x01\0\0\0").expect("it is writable");
    let writer = Application::new(PROGRAM, folder.to_str().expect("the path is text"));
    host.kill();
    host.restart_as(&writer.built_already());
    host.client().get("/").done();
    host.stop();
    host.restart_as(&probes());
    let client = host.client();
    adopted_values(&client);
    refused_values(&client);
}

fn adopted_values(client: &Client) {
    let profile = Profile {
        name: "ann".to_owned(),
        age: Some(7),
        tags: vec!["a".to_owned()],
    };
    let whole = Contents {
        count: 5,
        ratio: 7.0,
        label: "seven".to_owned(),
        flag: true,
        maybe: None,
        list: vec![1, 2, -3],
        profile,
        by_name: [("a".to_owned(), 1)].into(),
        bytes: vec![7, 255],
    };
    let contents = || client.get("/adopted/whole/").json::<Contents>();
    assert_eq!(contents(), whole);
    client
        .post("/adopted/whole/fail", json!({}))
        .expect_status(409);
    assert_eq!(contents(), whole, "a failed turn goes back to it");
    client
        .post("/adopted/whole/count", json!({ "by": 3 }))
        .expect_status(200);
    assert_eq!(
        contents(),
        Contents {
            count: 8,
            list: vec![1, 2, -3, 3],
            ..whole
        }
    );
    let other: Contents = client.get("/adopted/other/").json();
    assert_eq!(
        other,
        Contents {
            count: 9_007_199_254_740_993,
            ratio: 0.5,
            maybe: Some(3),
            list: vec![1, 2],
            by_name: [("c".to_owned(), 3)].into(),
            bytes: vec![1, 255],
            ..Contents::default()
        }
    );
    let kept: Value = client.get("/adopted/other/keys?prefix=more/").json();
    assert_eq!(
        kept,
        json!([["more/date", 5], ["more/floats", [1.5]], ["more/nested", { "bytes": [1, 2] }]])
    );
    let one: Value = client.get("/adopted/other/key?key=more/date").json();
    assert_eq!(one, json!(5));
}

fn refused_values(client: &Client) {
    for (name, key, ty) in [
        ("text", "count", "i64"),
        ("array", "count", "i64"),
        ("fraction", "count", "i64"),
        ("object", "count", "i64"),
        ("nothing", "count", "i64"),
        ("boolean", "count", "i64"),
        ("number", "label", "String"),
        ("digits", "list", "Vec<i64>"),
        ("bytes", "label", "String"),
        ("expression", "count", "RegExp"),
        ("error", "label", "Error"),
    ] {
        let answer = client.get(&format!("/adopted/{name}/"));
        let message = answer.error_message().unwrap_or_default();
        assert!(
            answer.status == 500 && message.contains(&format!("`{key}`")) && message.contains(ty),
            "{name}: {} {}",
            answer.status,
            answer.text()
        );
    }
}

/// The ids of the object that was reached and of the stub that reached it, or why none was reached.
type Reached = Result<(String, String), String>;

fn reached(answer: Answer) -> Reached {
    answer.json()
}

fn jurisdictions(host: &mut Host) {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = other_app("jurisdictions");
    for file in ["build/index_bg.wasm", "wrangler.jsonc"] {
        fs::copy(own.join(file), folder.join(file)).expect("the bundle is there");
    }
    // The configuration names a folder of assets.
    fs::create_dir_all(folder.join("public")).expect("a folder in `target`");
    let bundle = fs::read_to_string(own.join("build/index.js")).expect("the bundle is there");
    let (before, after) = bundle
        .rsplit_once(" as default")
        .expect("a bundle has an entry");
    let entry = before.rsplit([',', '{', ' ']).next().expect("there is one");
    let bundle = format!(
        "{}{} as TheBundle{after}\nconst TheApp = {entry};\n{}",
        &before[..before.len() - entry.len()],
        entry,
        include_str!("jurisdictions.js")
    );
    fs::write(folder.join("build/index.js"), bundle).expect("it is writable");
    let model = Application::new(PROGRAM, folder.to_str().expect("the path is text"));
    host.kill();
    host.restart_as(&model.built_already());
    let client = host.client();
    let way =
        |way: &str, hex: &str| reached(client.get(&format!("/jurisdiction?way={way}&hex={hex}")));
    let same = |reached: Reached| {
        let (object, stub) = reached.expect("it is reached");
        assert_eq!(object, stub);
        object
    };
    let unique = same(way("unique", ""));
    assert_ne!(unique, same(way("unique", "")));
    let named = same(way("named", ""));
    assert_eq!(named, same(way("named", "")));
    for id in [&unique, &named] {
        assert_eq!(&same(way("parsed", id)), id);
    }
    let outside: String = client.post("/new-id", json!({})).json();
    let message = way("parsed", &outside).expect_err("it is of another jurisdiction");
    assert!(message.contains("namespace"), "{message}");
    let message = way("plain-id", &outside).expect_err("it is of another jurisdiction");
    assert!(message.contains("jurisdiction"), "{message}");
}

fn caller(host: &mut Host) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/caller.js");
    host.kill();
    host.restart_as(&probes().called_by(script));
    let client = host.client();
    for (path, said) in [
        ("/path", "path"),
        ("/path/below", "below"),
        ("/below", "short"),
    ] {
        assert_eq!(client.get(path).json::<String>(), said);
        let by_mount = format!("/through-the-app/answers/called{path}");
        assert_eq!(client.get(&by_mount).json::<String>(), said);
        // A path that looks like the app's is not one here.
        let answer = client.get(&format!("/answers/called{path}"));
        assert_eq!(answer.status, 404, "{}", answer.text());
    }
    let names = "anchorhold_start_answerprobe,anchorhold_start_lock,answer_probe_start,start,init,main,prepare";
    let answered: Vec<String> = client.get(&format!("/public?names={names}")).json();
    assert!(answered.is_empty(), "{answered:?}");
}

fn replaced_body(host: &mut Host) {
    host.kill();
    host.restart_as(&probes().with_flag("enable_request_signal"));
    let client = host.client();
    let object = client.at("/answers/left");
    let waits = client.post_unanswered("/wait", json!({ "said": "left" }));
    let said = |path: &'static str| {
        eventually(Duration::from_secs(20), || {
            object.get(path).json::<Option<String>>()
        })
    };
    assert_eq!(said("/waiting").as_deref(), Some("left"));
    waits.reset();
    assert_eq!(said("/gone").as_deref(), Some("left"));
}

fn no_jurisdictions(client: &Client) {
    let id: String = client.post("/new-id", json!({})).json();
    for way in ["named", "unique", "parsed", "plain-id"] {
        let message = reached(client.get(&format!("/jurisdiction?way={way}&hex={id}")))
            .expect_err("there is none");
        assert!(
            message.to_lowercase().contains("jurisdiction"),
            "{way}: {message}"
        );
    }
}
