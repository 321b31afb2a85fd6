//! What an app's own code does to a request: headers that it sets, and panics.

use std::time::Duration;

use bolero::TypeGenerator;
use bolero::generator::produce;

use super::{simulated, target};
use crate::http::Body;
use crate::prelude::*;
use crate::{Env, Visit};

/// Tells what it receives.
#[durable_object]
struct Receiver {}

#[durable_object]
impl Receiver {
    #[get("/user")]
    async fn user(&self, request: Request) -> Response {
        match request.header("x-user") {
            Some(user) => Response::text(200, user),
            None => Response::empty(204),
        }
    }
}

/// A part of a header's name or value.
#[derive(Clone, Debug, TypeGenerator)]
enum Part {
    Word,
    Space,
    Tab,
    Colon,
    Byte(u8),
    Char(char),
}

fn text_of(parts: &[Part]) -> String {
    let mut text = String::new();
    for part in parts {
        match part {
            Part::Word => text.push_str("ann"),
            Part::Space => text.push(' '),
            Part::Tab => text.push('\t'),
            Part::Colon => text.push(':'),
            Part::Byte(byte) => text.push(char::from(*byte)),
            Part::Char(char) => text.push(*char),
        }
    }
    text
}

/// The names of headers that a guard sets, besides random ones.
const NAMES: [&str; 3] = ["x-user", "X-User", "x-other"];

target!(
    header_that_a_guard_sets_is_received_or_ends_the_request,
    produce::<(Option<u8>, [Part; 2], [Part; 3], bool)>(),
    |(name, odd_name, value, is_claimed)| {
        let name = match name {
            Some(number) => NAMES[usize::from(*number) % NAMES.len()].to_owned(),
            None => format!("x-{}", text_of(odd_name)),
        };
        let value = text_of(value);
        let is_claimed = *is_claimed;
        simulated(move |sim| {
            let (name, value) = (name.clone(), value.clone());
            async move {
                let (set_name, set_value) = (name.clone(), value.clone());
                let guard = move |mut visit: Visit| {
                    visit.request = visit.request.with_header(&set_name, &set_value);
                    std::future::ready(Ok(visit))
                };
                sim.app(
                    App::new()
                        .mount::<Receiver>("/receivers/{name}")
                        .guard(guard),
                );
                let mut request = Request::new("GET", "/receivers/a/user");
                if is_claimed {
                    request = request.with_header("x-user", "claimed");
                }
                let response = sim.fetch(request).await;
                let token =
                    |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
                let visible = |byte: u8| (b' '..0x7f).contains(&byte) || byte == b'\t';
                let is_allowed = name.bytes().all(token) && value.bytes().all(visible);
                let expected = match (is_allowed, name.eq_ignore_ascii_case("x-user")) {
                    (false, _) => (500, None),
                    (true, true) => (200, Some(value.trim_matches([' ', '\t']))),
                    (true, false) if is_claimed => (200, Some("claimed")),
                    (true, false) => (204, None),
                };
                let text = match &response.body {
                    Body::Bytes(bytes) if response.status == 200 => std::str::from_utf8(bytes).ok(),
                    _ => None,
                };
                assert_eq!((response.status, text), expected, "{name:?}: {value:?}");
            }
        });
    }
);

/// How a guard or a handler ends, and where.
#[derive(Clone, Copy, Debug, TypeGenerator)]
enum Ending {
    Answer,
    Refuse,
    Panic,
    /// Panics before there is a future.
    PanicAtOnce,
    /// Panics in a `Drop`.
    PanicInDrop,
}

#[derive(Clone, Copy, Debug, TypeGenerator)]
struct Conduct {
    in_guard: bool,
    awaits: bool,
    ending: Ending,
}

struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("secret");
    }
}

impl Conduct {
    fn at_once(self) {
        assert!(!matches!(self.ending, Ending::PanicAtOnce), "secret");
    }

    async fn end(self, env: &Env) -> Result<(), Error> {
        let _held = matches!(self.ending, Ending::PanicInDrop).then(|| PanicsWhenDropped);
        if self.awaits {
            env.sleep(Duration::from_millis(1)).await;
        }
        match self.ending {
            Ending::Refuse => Err(Error::conflict("user", "is kept")),
            Ending::Panic => panic!("secret"),
            Ending::Answer | Ending::PanicAtOnce | Ending::PanicInDrop => Ok(()),
        }
    }

    fn status(self) -> u16 {
        match (self.ending, self.in_guard) {
            (Ending::Answer, true) => 204,
            (Ending::Answer, false) => 202,
            (Ending::Refuse, _) => 409,
            _ => 500,
        }
    }
}

target!(
    panics_of_an_app_cost_their_own_request,
    produce::<Vec<Conduct>>(),
    |conducts| {
        let conducts = conducts.clone();
        simulated(move |sim| {
            let conducts = conducts.clone();
            async move {
                for conduct in conducts {
                    let handler = move |_: Request, env: Env| {
                        conduct.at_once();
                        async move {
                            conduct.end(&env).await?;
                            Ok(Response::empty(202))
                        }
                    };
                    let guard = move |visit: Visit| {
                        conduct.at_once();
                        async move {
                            conduct.end(&visit.env).await?;
                            Ok(visit)
                        }
                    };
                    sim.app(
                        App::new()
                            .get("/own", handler)
                            .mount::<Receiver>("/receivers/{name}")
                            .guard(guard),
                    );
                    let path = if conduct.in_guard {
                        "/receivers/a/user"
                    } else {
                        "/own"
                    };
                    let response = sim.fetch(Request::new("GET", path)).await;
                    assert_eq!(response.status, conduct.status(), "{conduct:?}");
                    if let Body::Bytes(body) = &response.body {
                        let body = String::from_utf8_lossy(body);
                        assert!(!body.contains("secret"), "{conduct:?}: {body}");
                    }
                }
            }
        });
    }
);
