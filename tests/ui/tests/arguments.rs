//! Tests the table of arguments in `docs/attributes.md` with programs. What it allows compiles, and
//! each thing that it refuses is one error.
//!
//! Run `UPDATE_PROGRAMS=1 cargo test -p ui-tests --test arguments` to write the programs. Cargo
//! compiles the allowed ones with the other examples.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const ALLOWED: &str = "examples/table_of_arguments.rs";
const REFUSED: &str = "refused/table_of_arguments.rs";

#[test]
fn programs_are_those_of_the_table() {
    let (allowed, refused): (Vec<_>, Vec<_>) =
        cells().into_iter().partition(|cell| cell.is_allowed);
    assert!(
        allowed.len() > 40 && refused.len() > 60,
        "cells are missing"
    );
    write_or_compare(
        ALLOWED,
        &file(
            "//! What `docs/attributes.md` allows as an argument of each event.\n#![allow(dead_code)]\n",
            &allowed,
        ),
    );
    write_or_compare(REFUSED, &file("#![allow(unused)]\n", &refused));
}

#[test]
fn refused_programs_have_their_messages() {
    trybuild::TestCases::new().compile_fail(REFUSED);
}

#[test]
fn each_refused_program_is_one_error() {
    let program = read(REFUSED);
    let messages = read(&REFUSED.replace(".rs", ".stderr"));
    let mut errors: BTreeMap<String, usize> = cells()
        .into_iter()
        .filter(|cell| !cell.is_allowed)
        .map(|cell| (cell.module(), 0))
        .collect();
    for error in messages
        .split("\n\n")
        .filter(|text| text.starts_with("error"))
    {
        let place = error
            .lines()
            .find_map(|line| line.trim_start().strip_prefix("--> "))
            .unwrap_or_else(|| panic!("no place: {error}"));
        let line: usize = place
            .split(':')
            .nth(1)
            .filter(|_| place.starts_with(REFUSED))
            .and_then(|line| line.parse().ok())
            .unwrap_or_else(|| panic!("not in the program: {error}"));
        let module = program
            .lines()
            .take(line)
            .filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(" {"))
            .last()
            .unwrap_or_else(|| panic!("not in a module: {error}"));
        *errors.get_mut(module).expect("a known module") += 1;
    }
    errors.retain(|_, count| *count != 1);
    assert!(errors.is_empty(), "not one error each: {errors:?}");
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(folder().join(path)).unwrap_or_default()
}

fn write_or_compare(path: &str, expected: &str) {
    if std::env::var_os("UPDATE_PROGRAMS").is_some() {
        fs::write(folder().join(path), expected).expect("a writable folder");
    }
    assert!(
        read(path) == expected,
        "{path} is stale: run `UPDATE_PROGRAMS=1 cargo test -p ui-tests --test arguments`"
    );
}

/// One argument of one event.
struct Cell {
    argument: String,
    event: String,
    is_allowed: bool,
}

fn cells() -> Vec<Cell> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/attributes.md");
    let document = fs::read_to_string(path).expect("docs/attributes.md is readable");
    let (_, section) = document
        .split_once("## What a method can take\n")
        .expect("the section");
    let mut lines = section
        .lines()
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells = line.trim_matches('|').split('|');
            cells.map(|cell| cell.trim().replace('`', "")).collect()
        });
    let head: Vec<String> = lines.next().expect("a head");
    let mut cells = Vec::new();
    for row in lines.skip(1) {
        for (event, answer) in head.iter().zip(&row).skip(1) {
            cells.push(Cell {
                argument: row[0].clone(),
                event: event.clone(),
                is_allowed: match answer.as_str() {
                    "yes" => true,
                    "no" => false,
                    other => panic!("`{other}` is neither yes nor no"),
                },
            });
        }
    }
    cells
}

impl Cell {
    fn module(&self) -> String {
        let argument = match self.argument.as_str() {
            "&Ctx" => "context",
            "&Socket<Session>" => "socket",
            "&str" => "text",
            "&[u8]" => "bytes",
            "String" => "string",
            "Vec<u8>" => "vector",
            "a type that serde reads" => "value",
            "#[body]" => "body",
            "#[query]" => "query",
            "Request" => "request",
            "AlarmRun" => "run",
            "CloseEvent" => "close_event",
            "SocketError" => "socket_error",
            other => panic!("no program is known for the argument {other}"),
        };
        let event = self.event.replace('(', "_").replace(')', "");
        format!("{argument}_of_{event}")
    }

    fn program(&self) -> String {
        let is_message = self.event.starts_with("message");
        let (attribute, message) = match self.event.as_str() {
            "routes" => ("post(\"/\")", ""),
            "websocket" => ("websocket(\"/\")", ""),
            "message" => ("message", "message: Id"),
            "message(text)" => ("message(text)", "message: &str"),
            "message(binary)" => ("message(binary)", "message: &[u8]"),
            other => (other, ""),
        };
        let argument = match self.argument.as_str() {
            "a type that serde reads" => "value: Id".to_owned(),
            marked @ ("#[body]" | "#[query]") => format!("{marked} value: Filter"),
            ty => format!("value: {ty}"),
        };
        let beside = matches!(self.argument.as_str(), "&Ctx" | "&Socket<Session>");
        let (arguments, used) = if is_message && beside {
            (format!("{argument}, {message}"), "(value, message)")
        } else {
            (argument, "value")
        };
        let is_upgrade = self.event == "websocket";
        let (result, answer) = if is_upgrade {
            (
                " -> Accept<Session>",
                "\n            Accept::new(Session {})",
            )
        } else {
            ("", "")
        };
        let is_of_socket = is_message || matches!(self.event.as_str(), "close" | "error");
        let upgrade = if is_of_socket {
            "
        #[websocket(\"/join\")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }
"
        } else {
            ""
        };
        let class: String = self.module().split('_').map(capitalised).collect();
        format!(
            "
mod {module} {{
    use super::*;

    #[durable_object]
    struct {class} {{}}

    #[durable_object]
    impl {class} {{{upgrade}
        #[{attribute}]
        fn handler(&mut self, {arguments}){result} {{
            let _ = {used};{answer}
        }}
    }}
}}
",
            module = self.module(),
        )
    }
}

fn capitalised(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    first.to_uppercase() + rest
}

fn file(head: &str, cells: &[Cell]) -> String {
    let programs: String = cells.iter().map(Cell::program).collect();
    format!(
        "{head}
use anchorhold::prelude::*;
use serde::{{Deserialize, Serialize}};

#[derive(Serialize, Deserialize)]
struct Id(u64);

#[derive(Serialize, Deserialize)]
struct Filter {{
    page: u32,
}}

#[derive(Serialize, Deserialize)]
struct Session {{}}
{programs}
fn main() {{}}
"
    )
}
