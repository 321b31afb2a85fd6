//! Tests that the tables of `docs/attributes.md` describe exactly what the code does.

use std::collections::BTreeSet;
use std::str::FromStr;

use proc_macro2::TokenStream;

use crate::diag::Failure;
use crate::model::{Event, Fit, MessageFormat, Whole};
use crate::pages::{reference, section};
use crate::parse::{Place, RoleName};
use crate::{driver, options};

struct Table {
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// Returns the first table of a section.
fn table(section: &str) -> Table {
    let mut lines = section
        .lines()
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'))
        .map(cells);
    let columns = lines.next().expect("a table has a head");
    let rows: Vec<_> = lines.skip(1).collect();
    for row in &rows {
        assert_eq!(row.len(), columns.len(), "{row:?}");
    }
    Table { columns, rows }
}

fn cells(line: &str) -> Vec<String> {
    let line = line.trim_matches('|');
    line.split('|').map(|cell| cell.trim().to_owned()).collect()
}

/// Returns the parts of a cell that are in backticks.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

fn plain(cell: &str) -> String {
    cell.replace('`', "")
}

fn is_yes(cell: &str) -> bool {
    match cell {
        "yes" => true,
        "no" => false,
        other => panic!("`{other}` is neither yes nor no"),
    }
}

/// An attribute, the item that it is on, and its options, from one row of the documents or of the
/// code.
type Declared = (String, &'static str, BTreeSet<String>);

fn declared(name: &str, on: &'static str, options: &[&str]) -> Declared {
    let options = options.iter().map(|option| (*option).to_owned()).collect();
    (name.to_owned(), on, options)
}

fn declared_in_code() -> Vec<Declared> {
    let mut all = vec![
        declared("durable_object", "a struct", options::OF_STRUCT),
        declared("durable_object", "its impl block", options::OF_IMPL),
        declared("memory", "a field", options::NONE),
        declared("stored", "a field", options::OF_STORED),
        declared("anchorhold::app", "a function", options::OF_APP),
        declared("anchorhold::test", "a function", options::OF_TEST),
    ];
    all.extend(RoleName::ALL.map(|role| {
        let takes_path = crate::model::HttpMethod::of(role).is_some();
        let mut options = options::of_role(role).to_vec();
        options.extend(takes_path.then_some("the path"));
        declared(role.attribute(), "a method", &options)
    }));
    all.extend(Whole::ALL.map(|whole| declared(whole.attribute(), "an argument", options::NONE)));
    all.sort();
    all
}

fn declared_in_documents() -> Vec<Declared> {
    let document = reference();
    let mut all = Vec::new();
    for row in table(&document).rows {
        let [attributes, on, options, _] = row.as_slice() else {
            panic!("{row:?} has other columns");
        };
        let on = [
            "a struct",
            "its impl block",
            "a field",
            "a method",
            "an argument",
            "a function",
        ]
        .into_iter()
        .find(|place| place == on)
        .unwrap_or_else(|| panic!("{on} is not a place"));
        let mut accepted = quoted(options);
        accepted.extend(options.starts_with("the path").then_some("the path"));
        assert_eq!(accepted.is_empty(), options == "none", "{row:?}");
        for attribute in quoted(attributes) {
            let name = attribute.trim_start_matches("#[").trim_end_matches(']');
            all.push(declared(name, on, &accepted));
        }
    }
    all.sort();
    all
}

#[test]
fn table_of_attributes_is_that_of_the_code() {
    assert_eq!(declared_in_documents(), declared_in_code());
}

#[test]
fn attributes_belong_where_the_table_says() {
    for (name, on, _) in declared_in_documents() {
        let place = match on {
            "a method" => Some(Place::Method),
            "a field" => Some(Place::Field),
            "an argument" => Some(Place::Argument),
            _ => None,
        };
        assert_eq!(Place::named(&name), place, "{name}");
    }
}

/// Returns a valid value of each option.
fn value_of(option: &str) -> &'static str {
    match option {
        "the path" => "\"/\"",
        "migrations" => "migrations = []",
        "crate" => "crate = ::anchorhold",
        "class" => "class = \"Tally\"",
        "key" => "key = \"k\"",
        "default" => "default = 5",
        "status" => "\"/\", status = 202",
        "max_body" => "\"/\", max_body = \"16 MiB\"",
        "every" => "every = \"1m\"",
        "cron" => "cron = \"0 4 * * *\"",
        "text" => "text",
        "binary" => "binary",
        "seed" => "seed = 7",
        "seeds" => "seeds = 7",
        "faults" => "faults = Faults::all()",
        "exhaustive" => "exhaustive",
        other => panic!("no value of the option {other} is known"),
    }
}

#[test]
fn every_option_of_the_table_is_accepted_and_no_other() {
    for (name, on, options) in declared_in_documents() {
        for option in &options {
            let arguments = value_of(option);
            let output = with_attribute(&name, on, arguments);
            assert!(!fails(&output), "{name}({arguments}): {output}");
        }
        let unknown = if options.contains("the path") {
            "\"/\", colour = 5"
        } else {
            "colour = 5"
        };
        let output = with_attribute(&name, on, unknown);
        assert!(
            output.contains("unknown option `colour`"),
            "{name}: {output}"
        );
    }
}

/// Returns the expansion of a program that has the attribute in its place.
fn with_attribute(name: &str, on: &str, arguments: &str) -> String {
    let (expand, outer, item): (Expand, _, _) = match (name, on) {
        ("durable_object", "a struct") => (
            driver::durable_object,
            arguments,
            "struct Thing;".to_owned(),
        ),
        ("durable_object", _) => (
            driver::durable_object,
            arguments,
            "impl Thing {}".to_owned(),
        ),
        ("anchorhold::app", _) => (
            driver::app,
            arguments,
            "fn app() -> App { App::new() }".to_owned(),
        ),
        ("anchorhold::test", _) => (
            driver::test,
            arguments,
            "async fn case(sim: Sim) {}".to_owned(),
        ),
        (_, "a field") => (
            driver::durable_object,
            "",
            format!("struct Thing {{ #[{name}({arguments})] field: u64 }}"),
        ),
        (_, "an argument") => (
            driver::durable_object,
            "",
            format!(
                "impl Thing {{ #[post(\"/\")] fn handler(&mut self, #[{name}({arguments})] value: Filter) {{}} }}"
            ),
        ),
        _ => {
            let event = match arguments {
                "text" | "binary" => format!("message({arguments})"),
                _ => name.to_owned(),
            };
            let method = method(&event, "");
            let written = format!("#[{name}({arguments})] fn");
            let start = method.find("fn").expect("a method");
            (
                driver::durable_object,
                "",
                block(&format!("{written}{}", &method[start + 2..])),
            )
        }
    };
    expansion(expand, outer, &item)
}

type Expand = fn(TokenStream, TokenStream) -> Result<TokenStream, Failure>;

fn expansion(expand: Expand, arguments: &str, item: &str) -> String {
    let read = |text: &str| TokenStream::from_str(text).expect("the program is made of tokens");
    expand(read(arguments), read(item))
        .unwrap_or_else(Failure::into_tokens)
        .to_string()
}

fn fails(expansion: &str) -> bool {
    expansion.contains("compile_error")
}

/// Returns a method of the event with this argument in addition to what the event requires.
fn method(event: &str, argument: &str) -> String {
    let (attribute, required, result) = match event {
        "init" => ("init", "", ""),
        "rpc" => ("rpc", "", ""),
        "routes" | "post" => ("post(\"/\")", "", ""),
        "get" | "put" | "patch" | "delete" => {
            return method("routes", argument).replace("post", event);
        }
        "websocket" => ("websocket(\"/ws\")", "", "-> Accept<Session>"),
        "alarm" => ("alarm", "", ""),
        "message" => ("message", "message: Post", ""),
        "message(text)" => ("message(text)", "message: &str", ""),
        "message(binary)" => ("message(binary)", "message: &[u8]", ""),
        "close" => ("close", "", ""),
        "error" => ("error", "", ""),
        other => panic!("{other} is not an event"),
    };
    let takes_message = event.starts_with("message");
    let argument = match argument {
        "" | "&Ctx" | "&Socket<Session>" if takes_message => {
            format!("{required}, {}", argument_of(argument))
        }
        other => argument_of(other),
    };
    format!("#[{attribute}] fn handler(&mut self, {argument}) {result} {{ todo!() }}")
}

fn argument_of(argument: &str) -> String {
    match argument {
        "" => String::new(),
        "a type that serde reads" => "value: Post".to_owned(),
        "#[body]" | "#[query]" => format!("{argument} value: Filter"),
        ty => format!("value: {ty}"),
    }
}

/// Returns the block of an object that accepts sockets.
fn block(method: &str) -> String {
    let upgrade = if method.contains("#[websocket") {
        ""
    } else {
        "#[websocket(\"/join\")] fn join(&self) -> Accept<Session> { todo!() }"
    };
    format!("impl Thing {{ {upgrade} {method} }}")
}

/// Arguments that the traits of the runtime distinguish, because a type with any name may be one of
/// these. `tests/ui` has a case for each.
const TOLD_APART_BY_TRAITS: &[&str] = &[
    "&Socket<Session>",
    "String",
    "Vec<u8>",
    "a type that serde reads",
    "Request",
    "AlarmRun",
    "CloseEvent",
    "SocketError",
];

#[test]
fn methods_take_what_the_table_of_arguments_says() {
    let document = reference();
    let Table { columns, rows } = table(section(&document, "What a method can take"));
    let events: Vec<_> = columns.iter().skip(1).map(|column| plain(column)).collect();
    assert_eq!(
        events,
        [
            "init",
            "rpc",
            "routes",
            "websocket",
            "alarm",
            "message",
            "message(text)",
            "message(binary)",
            "close",
            "error"
        ]
    );
    for row in &rows {
        let argument = plain(&row[0]);
        for (event, cell) in events.iter().zip(&row[1..]) {
            let program = block(&method(event, &argument));
            let output = expansion(driver::durable_object, "", &program);
            if is_yes(cell) {
                assert!(!fails(&output), "{program}: {output}");
            } else if !TOLD_APART_BY_TRAITS.contains(&argument.as_str()) {
                assert!(fails(&output), "{program}");
            }
        }
    }
}

#[test]
fn attributes_share_a_method_as_their_table_says() {
    let document = reference();
    let Table { columns, rows } = table(section(&document, "Which attributes share a method"));
    let names: Vec<_> = columns.iter().skip(1).map(|column| plain(column)).collect();
    let events: Vec<Event> = names.iter().map(|name| event(name)).collect();
    assert_eq!(rows.len(), events.len());
    for ((row, name), earlier) in rows.iter().zip(&names).zip(&events) {
        assert_eq!(plain(&row[0]), *name);
        for (cell, later) in row[1..].iter().zip(&events) {
            let together = matches!(earlier.fits(*later), Fit::Together);
            assert_eq!(is_yes(cell), together, "{earlier:?} and {later:?}");
        }
    }
    // Each event has one row. `#[message]` has one for all of its formats.
    for format in [MessageFormat::Text, MessageFormat::Binary] {
        for other in &events {
            let fits = matches!(Event::Message(format).fits(*other), Fit::Together);
            assert!(!fits, "{format:?} and {other:?}");
        }
    }
}

fn event(name: &str) -> Event {
    match name {
        "init" => Event::Init,
        "rpc" => Event::Rpc,
        "routes" => Event::Route,
        "websocket" => Event::Upgrade,
        "alarm" => Event::Alarm,
        "message" => Event::Message(MessageFormat::Json),
        "close" => Event::Close,
        "error" => Event::Error,
        other => panic!("{other} is not an event"),
    }
}
