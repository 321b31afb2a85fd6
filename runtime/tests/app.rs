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
