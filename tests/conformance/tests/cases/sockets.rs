//! Sockets.

use std::time::Duration;

use conformance::{Closed, Command, Told};
use host_tests::{Client, Connection, Received, eventually};
use serde_json::{Value, json};

use crate::case::Case;

pub const CASES: &[Case] = &[
    Case::together(
        "an object with only idle sockets leaves memory and keeps them",
        "P19 P62",
        hibernation,
    )
    .slow(),
    Case::together(
        "a socket has up to 10 tags of 256 bytes, and is found by them",
        "P54",
        tags,
    )
    .remark("32,768 sockets are not opened here"),
    Case::together("sockets are listed from the oldest on", "P54", order),
    Case::together("a session has up to 16,320 bytes", "P55", sessions)
        .remark("the platform's 16,384 less what its serialisation adds"),
    Case::together(
        "an automatic response matches the exact text and wakes nobody",
        "P55",
        automatic_response,
    ),
    Case::together(
        "a socket knows when it last got an automatic response",
        "P55",
        last_automatic_response,
    ),
    Case::together(
        "a socket has the first subprotocol of the route that the client offers",
        "",
        subprotocols,
    ),
    Case::together(
        "a request may be rewritten on its way: its query, and its body",
        "",
        rewritten,
    ),
    Case::together(
        "a drop without a Close is 1006 and not clean",
        "P58",
        dropped,
    ),
    Case::together(
        "a handler that fails does not close the socket",
        "P59",
        failing_handler,
    ),
    Case::together(
        "a Close is answered by the object, or else by the runtime with the same code",
        "P60",
        answered_close,
    ),
    Case::together(
        "close codes and reasons that may not be sent are refused",
        "P61",
        close_codes,
    ),
    Case::together("a reset object drops its sockets", "P62", reset),
    Case::together(
        "a message that does not fit is answered with an error",
        "",
        misfit,
    ),
    Case::together(
        "a socket tells how much waits for its peer, or that nobody knows",
        "",
        waiting,
    )
    .remark("workerd does not tell"),
];

#[track_caller]
fn ask(connection: &mut Connection, command: &Command) -> Told {
    connection.send(command);
    connection.receive_json()
}

/// Returns the message of the error that answers a command.
#[track_caller]
fn ask_in_vain(connection: &mut Connection, command: &Command) -> String {
    connection.send(command);
    let answer: Value = connection.receive_json();
    assert_eq!(
        answer["type"], "error",
        "{command:?} is answered with {answer}"
    );
    answer["message"]
        .as_str()
        .expect("an error has a message")
        .to_owned()
}

const DONE: Told = Told::Done { count: 0 };

struct Description {
    label: String,
    padding: usize,
    tags: Vec<String>,
    lives: u64,
    commands: u64,
}

#[track_caller]
fn describe(connection: &mut Connection) -> Description {
    match ask(connection, &Command::Describe) {
        Told::Description {
            label,
            padding,
            tags,
            lives,
            commands_in_this_life: commands,
        } => Description {
            label,
            padding,
            tags,
            lives,
            commands,
        },
        other => panic!("a description was due, and not {other:?}"),
    }
}

fn hibernation(client: &Client) {
    let object = client.at("/sockets/hibernation");
    let mut connection = object.connect("/ws?label=sleeper&tags=blue&padding=100");
    let response = Command::AutomaticResponse {
        request: "ping".to_owned(),
        response: "pong".to_owned(),
    };
    assert_eq!(ask(&mut connection, &response), DONE);
    assert_eq!(describe(&mut connection).lives, 1);
    // The platform shows only by the next activation that an object has left memory. About 10 s of
    // silence cause it. A busy machine may need another try.
    let woken = (0..4).find_map(|_| {
        std::thread::sleep(Duration::from_secs(12));
        connection.send_text("ping");
        assert_eq!(connection.receive(), Received::Text("pong".to_owned()));
        Some(describe(&mut connection)).filter(|woken| woken.lives > 1)
    });
    let woken = woken.expect("the object leaves memory");
    assert_eq!(
        (woken.lives, woken.commands),
        (2, 1),
        "fields are kept, memory is not"
    );
    assert_eq!((woken.label.as_str(), woken.padding), ("sleeper", 100));
    assert_eq!(woken.tags, ["blue"]);
}

fn tags(client: &Client) {
    let object = client.at("/sockets/tags");
    let tags: Vec<_> = (0..10)
        .map(|number| format!("{number}{}", "t".repeat(255)))
        .collect();
    let mut tagged = object.connect(&format!("/ws?label=tagged&tags={}", tags.join(",")));
    let mut plain = object.connect("/ws?label=plain");
    assert_eq!(describe(&mut tagged).tags, tags);
    assert_eq!(describe(&mut plain).tags, Vec::<String>::new());

    let broadcast = |tag: Option<&str>| Command::Broadcast {
        tag: tag.map(str::to_owned),
        text: "hello".to_owned(),
    };
    assert_eq!(
        ask(&mut plain, &broadcast(Some(&tags[9]))),
        Told::Done { count: 1 }
    );
    assert_eq!(tagged.receive_json::<String>(), "hello");
    assert_eq!(ask(&mut plain, &broadcast(Some("nobody"))), DONE);
    assert_eq!(ask(&mut tagged, &broadcast(None)), Told::Done { count: 1 });
    assert_eq!(plain.receive_json::<String>(), "hello");

    for refused in [["t"; 11].join(","), "t".repeat(257)] {
        let refusal = object
            .open(&format!("/ws?label=refused&tags={refused}"), &[])
            .err();
        assert_eq!(refusal.map(|refusal| refusal.status), Some(400));
    }
    assert_eq!(object.get("/count").json::<usize>(), 2);
}

fn order(client: &Client) {
    let object = client.at("/differential/order-a");
    let labels = ["first", "second", "third"];
    let _sockets = labels.map(|label| object.connect(&format!("/ws?label={label}&tags=blue")));
    let look = json!({ "acts": ["Sessions"], "ending": "Succeed" });
    let listed: Value = object.post("/look", look).json();
    let listed: Vec<_> = (0..3).map(|index| &listed[0][index][0]).collect();
    assert_eq!(listed, labels);
}

fn sessions(client: &Client) {
    let object = client.at("/sockets/sessions");
    // The encoding adds 20 bytes to the padding of a session whose label has one letter.
    let largest = 16_320 - 20;
    let mut connection = object.connect(&format!("/ws?label=a&padding={largest}"));
    assert_eq!(describe(&mut connection).padding, largest);
    let refusal = object
        .open(&format!("/ws?label=a&padding={}", largest + 1), &[])
        .err();
    assert_eq!(refusal.map(|refusal| refusal.status), Some(400));

    assert_eq!(
        ask(&mut connection, &Command::SetSession { padding: 5 }),
        DONE
    );
    assert_eq!(
        ask(&mut connection, &Command::SetSession { padding: largest }),
        DONE
    );
    let message = ask_in_vain(
        &mut connection,
        &Command::SetSession {
            padding: largest + 1,
        },
    );
    assert!(message.contains("16320"), "{message}");
    assert_eq!(
        describe(&mut connection).padding,
        largest,
        "the session before it is kept"
    );
}

fn automatic_response(client: &Client) {
    let object = client.at("/sockets/automatic");
    let mut connection = object.connect("/ws?label=a");
    let set = |request: String, response: String| Command::AutomaticResponse { request, response };
    assert_eq!(
        ask(&mut connection, &set("ping".to_owned(), "pong".to_owned())),
        DONE
    );
    let before = describe(&mut connection).commands;
    for _ in 0..3 {
        connection.send_text("ping");
        assert_eq!(connection.receive(), Received::Text("pong".to_owned()));
    }
    assert_eq!(
        describe(&mut connection).commands,
        before + 1,
        "the object has not seen them"
    );
    connection.send_text("ping ");
    assert_eq!(
        connection.receive_json::<Value>()["type"],
        "error",
        "another text reaches the object"
    );

    let long = "x".repeat(2_048);
    assert_eq!(ask(&mut connection, &set(long.clone(), long.clone())), DONE);
    connection.send_text(&long);
    assert_eq!(connection.receive(), Received::Text(long.clone()));
    for (request, response) in [
        (format!("{long}x"), "y".to_owned()),
        ("y".to_owned(), format!("{long}x")),
    ] {
        let message = ask_in_vain(&mut connection, &set(request, response));
        assert!(message.contains("2048"), "{message}");
    }
}

fn last_automatic_response(client: &Client) {
    let object = client.at("/sockets/last-automatic");
    let mut asking = object.connect("/ws?label=a");
    let mut quiet = object.connect("/ws?label=b");
    let set = Command::AutomaticResponse {
        request: "ping".to_owned(),
        response: "pong".to_owned(),
    };
    assert_eq!(ask(&mut asking, &set), DONE);
    let last = |connection: &mut Connection| match ask(connection, &Command::LastAutomaticResponse)
    {
        Told::AutomaticResponse { last, now } => (last, now),
        other => panic!("a time was due, and not {other:?}"),
    };
    let (never, before) = last(&mut asking);
    assert_eq!(never, None);
    asking.send_text("ping");
    assert_eq!(asking.receive(), Received::Text("pong".to_owned()));
    let (answered, after) = last(&mut asking);
    assert!(
        answered.is_some_and(|answered| (before..=after).contains(&answered)),
        "{answered:?} lies between {before} and {after}"
    );
    assert_eq!(last(&mut quiet).0, None, "the other socket got none");
}

fn rewritten(client: &Client) {
    let mut connection = client.connect("/ws?label=claimed&token=secret&tags=kept");
    let described = describe(&mut connection);
    assert_eq!(described.label, "r&d");
    assert_eq!(described.tags, ["kept"]);
    assert_eq!(client.post("/echo", "long").json::<String>(), "longlong");
}

#[track_caller]
fn wait_for_closes(object: &Client, count: usize) -> Vec<Closed> {
    let closes = || object.get("/closes").json::<Vec<Closed>>();
    eventually(Duration::from_secs(20), || {
        Some(closes()).filter(|closes| closes.len() >= count)
    })
    .unwrap_or_else(|| panic!("{count} closes were due, there are {:?}", closes()))
}

fn dropped(client: &Client) {
    let object = client.at("/sockets/dropped");
    let mut connection = object.connect("/ws?label=a");
    describe(&mut connection);
    connection.vanish();
    let closes = wait_for_closes(&object, 1);
    assert_eq!((closes[0].code, closes[0].clean), (1006, false));
    assert_eq!(closes[0].reason, "", "a peer that sent no Close gave none");
    assert_eq!(
        closes[0].label, "a",
        "the session of a closed socket can be read"
    );
    assert_eq!(object.get("/count").json::<usize>(), 0);
}

fn failing_handler(client: &Client) {
    let mut connection = client.connect("/sockets/failing/ws?label=a");
    assert_eq!(
        ask_in_vain(&mut connection, &Command::Fail),
        "this command fails"
    );
    let described = describe(&mut connection);
    assert_eq!((described.label.as_str(), described.lives), ("a", 1));
}

fn answered_close(client: &Client) {
    let object = client.at("/sockets/answered");
    let mut unanswered = object.connect("/ws?label=unanswered");
    describe(&mut unanswered);
    unanswered.close(4_001, "bye");
    assert_eq!(
        wait_for_closes(&object, 1)[0],
        Closed {
            label: "unanswered".to_owned(),
            code: 4_001,
            reason: "bye".to_owned(),
            clean: true
        }
    );
    assert_eq!(
        unanswered.receive(),
        Received::Close {
            code: 4_001,
            reason: "bye".to_owned()
        },
        "the runtime answers for the object"
    );

    let mut answered = object.connect("/ws?label=answered");
    assert_eq!(
        ask(&mut answered, &Command::AnswerClose { code: Some(4_002) }),
        DONE
    );
    answered.close(1_000, "done");
    assert_eq!(
        answered.receive(),
        Received::Close {
            code: 4_002,
            reason: "done".to_owned()
        }
    );
}

fn close_codes(client: &Client) {
    let object = client.at("/sockets/codes");
    let close = |code, reason: &str| Command::Close {
        code,
        reason: reason.to_owned(),
    };
    let mut connection = object.connect("/ws?label=a");
    for code in [0, 999, 1_004, 1_005, 1_006, 1_015, 2_999, 5_000] {
        let message = ask_in_vain(&mut connection, &close(code, ""));
        assert!(message.contains(&code.to_string()), "{message}");
    }
    let longest = "r".repeat(123);
    let message = ask_in_vain(&mut connection, &close(4_000, &format!("{longest}r")));
    assert!(message.contains("123"), "{message}");
    connection.send(&close(4_000, &longest));
    assert_eq!(
        connection.receive(),
        Received::Close {
            code: 4_000,
            reason: longest
        }
    );
}

fn reset(client: &Client) {
    let object = client.at("/sockets/reset");
    let mut bystander = object.connect("/ws?label=bystander");
    let mut connection = object.connect("/ws?label=a");
    describe(&mut bystander);
    connection.send(&Command::Abort);
    for socket in [&mut connection, &mut bystander] {
        let end = socket.receive();
        assert!(
            matches!(end, Received::Close { .. } | Received::Broken),
            "{end:?}"
        );
    }
    assert_eq!(object.get("/count").json::<usize>(), 0);
    let mut again = object.connect("/ws?label=again");
    assert_eq!(describe(&mut again).lives, 2);
}

fn misfit(client: &Client) {
    let mut connection = client.connect("/sockets/misfit/ws?label=a");
    for text in [
        "",
        "not JSON",
        "5",
        r#"{"NoSuchCommand": {}}"#,
        &"[".repeat(10_000),
    ] {
        connection.send_text(text);
        let answer: Value = connection.receive_json();
        assert_eq!(
            (&answer["type"], &answer["code"]),
            (&"error".into(), &"bad_request".into()),
            "{answer}"
        );
    }
    assert_eq!(describe(&mut connection).label, "a");
}

fn waiting(client: &Client) {
    let mut connection = client.connect("/sockets/waiting/ws?label=a");
    for bytes in [10, 100_000] {
        connection.send(&Command::Fill { bytes });
        assert_eq!(connection.receive(), Received::Binary(vec![0; bytes]));
        match connection.receive_json() {
            Told::Waiting {
                before: Some(before),
                after: Some(after),
            } => assert_eq!((before, after), (0, bytes)),
            Told::Waiting {
                before: None,
                after: None,
            } => {}
            told => panic!("{told:?} came"),
        }
    }
}

fn subprotocols(client: &Client) {
    const HEADER: &str = "sec-websocket-protocol";
    let path = "/sockets/subprotocols/ws?label=a";
    for (offered, is_chosen) in [
        ("first.probe", true),
        ("other, first.probe", true),
        ("first.probe, second.probe", true),
        ("other", false),
    ] {
        // As a browser does, the client fails a connection without one of its subprotocols.
        let opened = client.try_open(path, &[(HEADER, offered)]);
        assert_eq!(matches!(opened, Ok(Ok(_))), is_chosen, "{offered}");
    }
    assert!(client.open(path, &[]).is_ok(), "none is offered");
}
