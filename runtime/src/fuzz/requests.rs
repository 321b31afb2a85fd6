//! Requests of untrusted clients to an app: routes, arguments, bodies, headers.

use bolero::TypeGenerator;
use bolero::generator::produce;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::paths::{Piece, text_of};
use super::{simulated, target};
use crate::http;
use crate::prelude::*;

#[derive(Debug, Default, Serialize, Deserialize)]
enum Level {
    #[default]
    Low,
    High,
}

#[derive(Debug, Serialize, Deserialize)]
struct Note {
    text: String,
    #[serde(default)]
    level: Level,
    #[serde(default)]
    parts: Vec<Note>,
}

/// An object with a route of every kind.
#[durable_object]
struct Desk {
    writes: u64,
}

#[durable_object]
impl Desk {
    #[get("/notes/{id}")]
    fn note(&self, id: String, label: Option<String>, count: Option<i64>) -> Value {
        json!({ "id": id, "label": label, "count": count })
    }

    #[post("/notes/{id}")]
    fn write(&mut self, id: u32, note: Note, ratio: Option<f64>) -> Value {
        self.writes += 1;
        json!({ "id": id, "note": note, "ratio": ratio })
    }

    #[put("/user")]
    fn replace(&mut self, #[body] note: Note) -> Note {
        self.writes += 1;
        note
    }

    #[delete("/{level}/user")]
    fn remove(&mut self, level: Level, user: bool) -> Result<bool, Error> {
        if user {
            return Err(Error::conflict("user", "is kept"));
        }
        self.writes += u64::from(matches!(level, Level::High));
        Ok(true)
    }

    #[patch("/raw")]
    async fn raw(&self, mut request: Request) -> Result<Response, Error> {
        let body = request.bytes().await?;
        Ok(Response::bytes(200, "application/octet-stream", body))
    }
}

#[derive(Clone, Debug, TypeGenerator)]
struct Asked {
    method: Method,
    place: Place,
    path: Vec<Piece>,
    query: Vec<Piece>,
    headers: Vec<(Header, String)>,
    body: Body,
}

#[derive(Clone, Copy, Debug, TypeGenerator)]
enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
    Odd,
}

#[derive(Clone, Copy, Debug, TypeGenerator)]
enum Place {
    Anywhere,
    Desk,
    Notes,
    User,
    Raw,
}

#[derive(Clone, Copy, Debug, TypeGenerator)]
enum Header {
    ContentType,
    ContentLength,
    Upgrade,
    Origin,
    Host,
    Odd,
}

#[derive(Clone, Debug, TypeGenerator)]
enum Body {
    None,
    Bytes(Vec<u8>),
    Note(String, bool),
    Fields(String, i64),
    Deep(u16),
}

impl Asked {
    fn request(&self) -> Request {
        let method = match self.method {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
            Method::Options => "OPTIONS",
            Method::Odd => "get /",
        };
        let place = match self.place {
            Place::Anywhere => "/",
            Place::Desk => "/desks/a/",
            Place::Notes => "/desks/a/notes/",
            Place::User => "/desks/a/user",
            Place::Raw => "/desks/a/raw",
        };
        let path = text_of(&self.path).replace(['?', '#'], "");
        let query = text_of(&self.query).replace('#', "");
        let mut request = Request::new(method, &format!("{place}{path}?{query}"));
        for (header, value) in &self.headers {
            let name = match header {
                Header::ContentType => "content-type",
                Header::ContentLength => "content-length",
                Header::Upgrade => "upgrade",
                Header::Origin => "origin",
                Header::Host => "host",
                Header::Odd => "x-odd",
            };
            // Other values cannot be received.
            if value.bytes().all(|byte| (b' '..0x7f).contains(&byte)) {
                request = request.with_header(name, value);
            }
        }
        match &self.body {
            Body::None => request,
            Body::Bytes(bytes) => request.with_body(bytes.clone()),
            Body::Note(text, high) => {
                let level = if *high { "High" } else { "Low" };
                request.with_body(json!({ "text": text, "level": level }).to_string())
            }
            Body::Fields(text, number) => {
                let note = json!({ "text": text, "parts": [{ "text": "" }] });
                request.with_body(json!({ "note": note, "ratio": number }).to_string())
            }
            Body::Deep(levels) => {
                let open = r#"{"text":"","parts":["#;
                request.with_body(open.repeat(usize::from(*levels)))
            }
        }
    }
}

target!(
    any_request_is_answered_and_harms_nothing,
    produce::<Vec<Asked>>(),
    |asked| {
        let requests = asked.clone();
        simulated(move |sim| {
            let requests = requests.clone();
            async move {
                sim.app(App::new().mount::<Desk>("/desks/{name}"));
                for asked in requests {
                    let response = sim.fetch(asked.request()).await;
                    assert!(response.status < 500, "{asked:?}: {}", response.status);
                }
            }
        });
    }
);

target!(
    arguments_arrive_as_they_were_sent,
    produce::<(String, Option<String>, Option<i64>)>(),
    |(id, label, count)| {
        // An empty segment does not name an object.
        if id.is_empty() || id == "." || id == ".." {
            return;
        }
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let mut address = format!("/desks/a/notes/{}?", encoded(id));
        if let Some(label) = label {
            address.push_str(&format!("label={}&", encoded(label)));
        }
        if let Some(count) = count {
            address.push_str(&format!("c%6funt={count}"));
        }
        let expected = json!({ "id": id, "label": label, "count": count });
        simulated(move |sim| {
            let (address, expected) = (address.clone(), expected.clone());
            async move {
                sim.app(App::new().mount::<Desk>("/desks/{name}"));
                let response = sim.fetch(Request::new("GET", &address)).await;
                let http::Body::Bytes(body) = &response.body else {
                    panic!("{address}: {} without a body", response.status)
                };
                let body: Value = serde_json::from_slice(body).expect(&address);
                assert_eq!(body, expected, "{address}");
            }
        });
    }
);
