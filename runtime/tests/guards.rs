//! Tests what guards see, and what they may do.

use std::cell::RefCell;
use std::rc::Rc;

use anchorhold::prelude::*;
use anchorhold::{MatchedRoute, Visit};

#[durable_object]
struct Vault {
    opened: u64,
}

#[durable_object]
impl Vault {
    #[get("/")]
    fn opened(&self) -> u64 {
        self.opened
    }

    #[post("/increment")]
    fn increment(&mut self) -> u64 {
        self.opened += 1;
        self.opened
    }

    #[get("/items/{item}")]
    fn item(&self, item: u64) -> u64 {
        item
    }

    #[get("/{key}/check")]
    fn check(&self, key: String) -> String {
        key
    }

    #[get("/all/check")]
    fn check_all(&self) -> u64 {
        self.opened
    }
}

type Seen = Rc<RefCell<Vec<Option<MatchedRoute>>>>;

fn recording(app: App) -> (App, Seen) {
    let seen = Seen::default();
    let recorded = seen.clone();
    let app = app.guard(move |visit: Visit| {
        recorded.borrow_mut().push(visit.route);
        std::future::ready(Ok::<_, Error>(visit))
    });
    (app, seen)
}

fn route(pattern: &'static str, handler: &'static str) -> Option<MatchedRoute> {
    Some(MatchedRoute { pattern, handler })
}

#[anchorhold::test]
async fn guard_sees_the_route_however_the_path_is_spelled(sim: Sim) {
    let (app, seen) = recording(App::new().mount::<Vault>("/vaults/{name}"));
    sim.app(app);
    for (method, path, expected) in [
        ("GET", "/vaults/a", route("/", "opened")),
        ("HEAD", "/vaults/a", route("/", "opened")),
        (
            "POST",
            "/vaults/a/increment",
            route("/increment", "increment"),
        ),
        (
            "POST",
            "/vaults/a/increm%65nt",
            route("/increment", "increment"),
        ),
        (
            "POST",
            "/v%61ults/a/%69ncrement",
            route("/increment", "increment"),
        ),
        ("GET", "/vaults/a/items/7", route("/items/{item}", "item")),
        (
            "GET",
            "/vaults/a/all/check",
            route("/all/check", "check_all"),
        ),
        ("GET", "/vaults/a/increment", None),
        ("GET", "/vaults/a/nowhere", None),
        ("POST", "/vaults/a//increment", None),
    ] {
        sim.fetch(Request::new(method, path)).await;
        let seen = seen.take();
        assert_eq!(seen, [expected], "{method} {path}");
    }
}

#[anchorhold::test]
async fn guard_sees_the_route_of_the_key_that_another_has_set(sim: Sim) {
    let app = App::new().mount_sharded::<Vault>("/vaults/{key}", 4);
    let app = app.guard(async |mut visit| {
        visit.name = "all".to_owned();
        Ok(visit)
    });
    let (app, seen) = recording(app);
    sim.app(app);
    let answer = sim.fetch(Request::new("GET", "/vaults/ann/check")).await;
    assert_eq!(answer.body(), Some(&b"0"[..]));
    assert_eq!(seen.take(), [route("/all/check", "check_all")]);
}

#[anchorhold::test]
async fn guard_answers_in_place_of_the_object(sim: Sim) {
    let app = App::new()
        .mount::<Vault>("/vaults/{name}")
        .guard(async |visit: Visit| match visit.request.cookie("session") {
            Some(_) => Ok(visit),
            None => Ok(visit.respond(Response::empty(303).with_header("location", "/login"))),
        });
    let (app, seen) = recording(app);
    sim.app(app);
    let answer = sim.fetch(Request::new("POST", "/vaults/a/increment")).await;
    assert_eq!(
        (answer.status(), answer.header("location")),
        (303, Some("/login"))
    );
    assert_eq!(seen.take(), [], "no other guard runs");
    let known = Request::new("POST", "/vaults/a/increment").with_header("cookie", "session=s");
    assert_eq!(sim.fetch(known).await.body(), Some(&b"1"[..]));
}

#[anchorhold::test]
async fn response_hooks_change_every_answer_the_last_one_first(sim: Sim) {
    let app = || {
        App::new()
            .mount::<Vault>("/vaults/{name}")
            .guard(async |visit: Visit| {
                Ok(visit
                    .on_response(|response| response.with_header("x-hook", "first"))
                    .on_response(|response| response.with_header("x-hook", "second")))
            })
    };
    for (app, status) in [
        (app(), 200),
        (app().guard(async |_| Err(Error::forbidden("closed"))), 403),
        (app().guard(async |_| panic!("on purpose")), 500),
        (
            app().guard(async |visit| Ok(visit.respond(Response::empty(202)))),
            202,
        ),
        (
            app().guard(async |visit| Ok(visit.on_response(|_| panic!("on purpose")))),
            500,
        ),
    ] {
        sim.app(app);
        let answer = sim.fetch(Request::new("GET", "/vaults/a")).await;
        assert_eq!(
            (answer.status(), answer.header("x-hook")),
            (status, Some("second"))
        );
    }
    sim.app(app());
    let answer = sim.fetch(Request::new("GET", "/vaults/a/nowhere")).await;
    assert_eq!(
        (answer.status(), answer.header("x-hook")),
        (404, Some("second"))
    );
}

#[durable_object]
struct Room {}

#[durable_object]
impl Room {
    #[websocket("/strict")]
    fn strict(&self, user: String) -> Accept<String> {
        Accept::new(user)
    }

    #[websocket("/lenient")]
    async fn lenient(&self, request: Request) -> Accept<String> {
        Accept::new(request.query_value("user").unwrap_or_default())
    }
}

/// Such as `_pk` of partysocket.
#[anchorhold::test]
async fn socket_route_with_a_request_takes_unknown_parameters(sim: Sim) {
    sim.app(App::new().mount::<Room>("/rooms/{name}"));
    for (path, status) in [
        ("/rooms/a/strict?user=ann", 101),
        ("/rooms/a/strict?user=ann&_pk=1", 400),
        ("/rooms/a/lenient?user=ann&_pk=1", 101),
    ] {
        let request = Request::new("GET", path).with_header("upgrade", "websocket");
        assert_eq!(sim.fetch(request).await.status(), status, "{path}");
    }
}
