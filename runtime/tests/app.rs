//! Tests that an invalid app is reported at the start.

use anchorhold::Visit;
use anchorhold::prelude::*;

/// Something to mount.
#[durable_object]
struct Thing {}

#[durable_object]
impl Thing {
    #[get("/")]
    fn answer(&self) -> u64 {
        42
    }
}

#[anchorhold::test]
#[should_panic(expected = "its paths already lead to Thing, by \"/things/{name}\"")]
async fn one_path_leads_to_one_mount(sim: Sim) {
    sim.app(
        App::new()
            .mount::<Thing>("/things/{name}")
            .mount::<Thing>("/things/{id}"),
    );
}

/// A filter, which no single text carries.
#[derive(serde::Deserialize)]
#[expect(dead_code, reason = "never read")]
struct Filter {
    from: u64,
}

#[derive(serde::Deserialize)]
#[expect(dead_code, reason = "never read")]
struct Id(u64);

#[durable_object]
struct Search {}

#[durable_object]
impl Search {
    #[get("/search/{id}")]
    fn search(&self, id: Id, filter: Option<Filter>) -> u64 {
        let _ = (id, filter);
        42
    }
}

#[anchorhold::test]
#[should_panic(expected = "GET /search/{id} of Search: `filter` is a struct, but a path")]
async fn struct_in_a_query_string_is_refused_at_the_start(sim: Sim) {
    sim.app(App::new().mount::<Search>("/searches/{name}"));
}

mod other {
    use anchorhold::prelude::*;

    #[durable_object]
    pub(super) struct Thing {}

    #[durable_object]
    impl Thing {}
}

#[anchorhold::test]
#[should_panic(
    expected = "two classes are called `Thing`; give one another name with `#[durable_object(class = \"…\")]`"
)]
async fn two_classes_of_one_name_are_refused_at_the_start(sim: Sim) {
    sim.app(
        App::new()
            .mount::<Thing>("/things/{name}")
            .mount::<other::Thing>("/others/{name}"),
    );
}

mod shouted {
    use anchorhold::prelude::*;

    #[durable_object]
    pub(super) struct Other {}

    #[durable_object(class = "THING")]
    impl Other {}
}

#[anchorhold::test]
#[should_panic(
    expected = "the names of the classes `Thing` and `THING` differ only in case; give one another name with"
)]
async fn two_classes_whose_names_differ_in_case_are_refused_at_the_start(sim: Sim) {
    sim.app(
        App::new()
            .mount::<Thing>("/things/{name}")
            .mount::<shouted::Other>("/others/{name}"),
    );
}

#[anchorhold::test]
#[should_panic(expected = "two handlers answer GET \"/greet/{who}\"")]
async fn one_path_has_one_handler(sim: Sim) {
    sim.app(
        App::new()
            .get("/greet/{name}", async |_, _| Ok(Response::empty(204)))
            .post("/greet/{name}", async |_, _| Ok(Response::empty(204)))
            .get("/greet/{who}", async |_, _| Ok(Response::empty(204))),
    );
}

/// A browser sends cookies with every upgrade, and CORS does not protect sockets.
#[anchorhold::test]
async fn only_pages_of_the_host_and_of_allowed_origins_open_sockets(sim: Sim) {
    sim.app(
        App::new()
            .mount::<Listener>("/listeners/{name}")
            .allow_origin("https://friend.example"),
    );
    for (origin, status) in [
        (None, 101),
        (Some("https://own.example"), 101),
        (Some("http://OWN.example"), 101),
        (Some("https://friend.example"), 101),
        (Some("https://own.example.evil"), 403),
        (Some("https://evil.example"), 403),
        (Some("http://friend.example"), 403),
        (Some("chrome-extension://own.example"), 403),
        (Some("null"), 403),
    ] {
        let mut request = Request::new("GET", "/listeners/a/ws")
            .with_header("upgrade", "websocket")
            .with_header("host", "own.example");
        if let Some(origin) = origin {
            request = request.with_header("origin", origin);
        }
        assert_eq!(sim.fetch(request).await.status(), status, "{origin:?}");
    }
}

#[durable_object]
struct Listener {}

#[durable_object]
impl Listener {
    #[websocket("/ws")]
    fn listen(&self) -> Accept<()> {
        Accept::new(())
    }
}

#[durable_object]
struct Echo {}

#[durable_object]
impl Echo {
    #[get("/name")]
    fn name(&self, ctx: &Ctx) -> String {
        ctx.name().unwrap_or_default()
    }
}

async fn authenticated(visit: Visit) -> Result<Visit, Error> {
    match visit.request.header("authorization") {
        Some(_) => Ok(visit),
        None => Err(Error::unauthorized("log in")),
    }
}

async fn doubled(mut visit: Visit) -> Result<Visit, Error> {
    if visit.name == "closed" {
        return Err(Error::forbidden("closed"));
    }
    visit.name = visit.name.repeat(2);
    Ok(visit)
}

#[anchorhold::test]
async fn guards_run_one_after_the_other_and_each_may_refuse(sim: Sim) {
    let app = || App::new().mount::<Echo>("/echoes/{name}");
    for app in [
        app().guard(authenticated).guard(doubled),
        app().guard(doubled).guard(authenticated),
    ] {
        sim.app(app);
        let get = |path: &str| Request::new("GET", path);
        let known = |path| get(path).with_header("authorization", "ann");
        assert_eq!(sim.fetch(get("/echoes/ab/name")).await.status(), 401);
        assert_eq!(sim.fetch(known("/echoes/closed/name")).await.status(), 403);
        let answer = sim.fetch(known("/echoes/ab/name")).await;
        assert_eq!(answer.body(), Some(&b"\"abab\""[..]));
    }
}

#[anchorhold::test]
#[should_panic(expected = "an app can have only one folder of assets; given \"a\" and \"b\"")]
async fn second_folder_of_assets_is_refused_at_the_start(sim: Sim) {
    sim.app(App::new().assets("a").assets("b"));
}

#[anchorhold::test]
#[should_panic(expected = "\"https://friend.example/\" is not an origin")]
async fn origin_that_no_browser_sends_is_refused_at_the_start(sim: Sim) {
    sim.app(App::new().allow_origin("https://friend.example/"));
}

#[anchorhold::test]
async fn handler_of_the_app_reads_the_parameters_of_its_path(sim: Sim) {
    sim.app(
        App::new().get("/greetings/{who}/{how}", async |request: Request, _| {
            let value = |name| request.path_value(name).unwrap_or("?").to_owned();
            let text = [value("who"), value("how"), value("other")].join(" ");
            Ok(Response::text(200, text))
        }),
    );
    let answer = sim
        .fetch(Request::new("GET", "/greetings/an%2Fn/warmly"))
        .await;
    assert_eq!(answer.body(), Some(&b"an/n warmly ?"[..]));
}

#[anchorhold::test]
async fn client_address_reaches_the_apps_handlers_and_cookies_are_read(sim: Sim) {
    sim.app(App::new().get("/who", async |request: Request, _| {
        let address = request.client_address();
        let session = request.cookie("session");
        Ok(Response::text(200, format!("{address:?} {session:?}")))
    }));
    let request = |cookie| Request::new("GET", "/who").with_header("cookie", cookie);
    let address = std::net::IpAddr::from([192, 0, 2, 7]);
    for (cookie, expected) in [
        ("session=a=b", "Some(192.0.2.7) Some(\"a=b\")"),
        (
            "xsession=x; session=; session=y",
            "Some(192.0.2.7) Some(\"\")",
        ),
        ("session; Session=x", "Some(192.0.2.7) None"),
    ] {
        let answer = sim.fetch_from(address, request(cookie)).await;
        assert_eq!(answer.body(), Some(expected.as_bytes()), "{cookie}");
    }
    let answer = sim.fetch(request("a=b")).await;
    assert_eq!(answer.body(), Some(&b"None None"[..]));
}

async fn says(text: &'static str) -> Result<Response, Error> {
    Ok(Response::text(200, text))
}

#[anchorhold::test]
async fn app_has_handlers_of_every_method(sim: Sim) {
    sim.app(
        App::new()
            .get("/items/{id}", |_, _| says("get"))
            .put("/items/{id}", |_, _| says("put"))
            .patch("/items/{id}", |_, _| says("patch"))
            .delete("/items/{id}", |_, _| says("delete"))
            .route("PROPFIND", "/items/{id}", |_, _| says("propfind"))
            .get("/heads", |_, _| says("get"))
            .route("HEAD", "/heads", |_, _| says("head"))
            .route("OPTIONS", "/heads", |_, _| says("options")),
    );
    for (method, path, said) in [
        ("GET", "/items/7", "get"),
        ("HEAD", "/items/7", "get"),
        ("PUT", "/items/7", "put"),
        ("PATCH", "/items/7", "patch"),
        ("DELETE", "/items/7", "delete"),
        ("PROPFIND", "/items/7", "propfind"),
        ("GET", "/heads", "get"),
        ("HEAD", "/heads", "head"),
        ("OPTIONS", "/heads", "options"),
    ] {
        let answer = sim.fetch(Request::new(method, path)).await;
        assert_eq!(answer.body(), Some(said.as_bytes()), "{method} {path}");
    }
    let answer = sim.fetch(Request::new("POST", "/items/7")).await;
    let allow = "GET, HEAD, PUT, PATCH, DELETE, PROPFIND, OPTIONS";
    assert_eq!(
        (answer.status(), answer.header("allow")),
        (405, Some(allow))
    );
}

#[anchorhold::test]
async fn most_specific_handler_of_the_app_answers(sim: Sim) {
    sim.app(
        App::new()
            .get("/users/{id}", |_, _| says("any"))
            .get("/users/me", |_, _| says("me"))
            .post("/users/me", |_, _| says("posted"))
            .delete("/users/{id}", |_, _| says("deleted")),
    );
    for (method, path, said) in [
        ("GET", "/users/me", "me"),
        ("HEAD", "/users/me", "me"),
        ("GET", "/users/you", "any"),
        ("DELETE", "/users/me", "deleted"),
    ] {
        let answer = sim.fetch(Request::new(method, path)).await;
        assert_eq!(answer.body(), Some(said.as_bytes()), "{method} {path}");
    }
}

#[anchorhold::test]
async fn fallback_answers_what_has_no_route_mount_or_asset(sim: Sim) {
    let fallback = async |request: Request, _| {
        if request.path() == "/panic" {
            panic!("on purpose");
        }
        let text = format!("{} {}", request.method(), request.path());
        Ok(Response::text(404, text))
    };
    for app in [App::new(), App::new().assets("no-such-folder")] {
        sim.app(
            app.mount::<Thing>("/things/{name}")
                .get("/page", |_, _| says("page"))
                .fallback(fallback)
                .allow_origin("https://friend.example"),
        );
        for (method, path, status, body) in [
            ("GET", "/nowhere", 404, "GET /nowhere"),
            ("HEAD", "/nowhere", 404, "HEAD /nowhere"),
            ("POST", "/nowhere", 404, "POST /nowhere"),
            ("OPTIONS", "/nowhere", 404, "OPTIONS /nowhere"),
            ("GET", "/things", 404, "GET /things"),
            ("GET", "/page", 200, "page"),
            ("GET", "/things/a", 200, "42"),
        ] {
            let answer = sim.fetch(Request::new(method, path)).await;
            let seen = (answer.status(), answer.body());
            assert_eq!(seen, (status, Some(body.as_bytes())), "{method} {path}");
            assert_eq!(answer.header("vary"), Some("Origin"), "{method} {path}");
        }
        assert_eq!(sim.fetch(Request::new("POST", "/page")).await.status(), 405);
        let answer = sim.fetch(Request::new("GET", "/things/a/nowhere")).await;
        assert!(answer.body().unwrap().starts_with(b"{\"error\""));
        let answer = sim.fetch(Request::new("GET", "/panic")).await;
        assert_eq!(answer.status(), 500);
    }
}

#[anchorhold::test]
#[should_panic(expected = "route(\"get\", \"/\"): a method consists of upper-case letters")]
async fn method_in_lower_case_is_refused_at_the_start(sim: Sim) {
    sim.app(App::new().route("get", "/", |_, _| says("never")));
}

#[anchorhold::test]
#[should_panic(expected = "an app can have only one fallback")]
async fn second_fallback_is_refused_at_the_start(sim: Sim) {
    let app = App::new().fallback(|_, _| says("a"));
    sim.app(app.fallback(|_, _| says("b")));
}
