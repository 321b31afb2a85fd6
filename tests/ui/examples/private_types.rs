//! Handlers take and return types that are not public, with lints that a derive of serde does not
//! trigger.
#![forbid(
    elided_lifetimes_in_paths,
    missing_debug_implementations,
    private_bounds,
    private_interfaces,
    single_use_lifetimes,
    unnameable_types,
    unreachable_pub
)]
#![deny(warnings)]

use anchorhold::prelude::*;

mod boards {
    use anchorhold::prelude::*;
    use serde::{Deserialize, Serialize};

    #[derive(Debug, Serialize, Deserialize)]
    struct Note {
        text: String,
    }

    #[derive(Clone, Debug, Serialize, Deserialize)]
    pub(crate) struct Entry {
        text: String,
    }

    #[durable_object]
    #[derive(Debug)]
    pub(crate) struct Board {
        entries: Vec<Entry>,
    }

    #[durable_object]
    impl Board {
        #[rpc]
        #[post("/notes")]
        fn add(&mut self, #[body] note: Note) -> Note {
            self.entries.push(Entry {
                text: note.text.clone(),
            });
            note
        }

        #[rpc]
        pub(crate) fn entries(&self, after: Entry) -> Vec<Entry> {
            let rest = self.entries.iter().filter(|entry| entry.text > after.text);
            rest.cloned().collect()
        }

        #[alarm]
        fn add_later(&mut self, note: Note) {
            self.add(note);
        }

        #[websocket("/ws")]
        fn join(&self) -> Accept<Note> {
            Accept::new(Note {
                text: String::new(),
            })
        }

        #[message]
        fn said(&mut self, _socket: &Socket<Note>, note: Note) {
            self.add(note);
        }
    }
}

#[anchorhold::app]
fn app() -> App {
    App::new().mount::<boards::Board>("/boards/{name}")
}

fn main() {
    let _ = app();
}
