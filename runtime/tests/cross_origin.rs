//! Tests requests of pages of other origins: what is refused, and what CORS allows.

use anchorhold::prelude::*;

const FRIEND: &str = "https://friend.example";
const FOREIGN: &str = "https://evil.example";
const OWN: &str = "https://own.example";

#[durable_object]
struct Tally {
    total: u64,
}

#[durable_object]
impl Tally {
    #[get("/")]
    fn total(&self) -> Response {
        Response::text(200, self.total.to_string()).with_header("x-total", "here")
    }

    #[post("/")]
    #[put("/")]
    fn add(&mut self, by: u64) -> u64 {
        self.total += by;
        self.total
    }

    #[delete("/{entry}")]
    fn remove(&mut self, entry: u64) -> u64 {
        entry
    }

    #[post("/whole")]
    fn whole(&mut self, #[body] by: u64) -> u64 {
        by
    }

    #[post("/raw")]
    async fn raw(&self, mut request: Request) -> Result<usize, Error> {
        Ok(request.bytes().await?.len())
    }

    #[websocket("/ws")]
    fn listen(&self) -> Accept<()> {
        Accept::new(())
    }
}

fn app() -> App {
    App::new()
        .mount::<Tally>("/tallies/{name}")
        .get("/public", async |_, _| {
            Ok(Response::text(200, "public").with_header("access-control-allow-origin", "*"))
        })
        .get("/page", async |_, _| Ok(Response::text(200, "page")))
        .post("/page", async |_, _| Ok(Response::empty(204)))
        .get("/panic", async |_, _| panic!("on purpose"))
}

fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> Request {
    let request = Request::new(method, path).with_header("host", "own.example");
    headers.iter().fold(request, |request, (name, value)| {
        request.with_header(name, value)
    })
}

/// What the response says to browsers: origin, credentials, exposed headers, `Vary`.
fn cors(response: &Response) -> [Option<&str>; 4] {
    [
        "access-control-allow-origin",
        "access-control-allow-credentials",
        "access-control-expose-headers",
        "vary",
    ]
    .map(|name| response.header(name))
}

#[anchorhold::test]
async fn unsafe_requests_of_pages_of_other_origins_are_refused(sim: Sim) {
    sim.app(app().allow_origin(FRIEND));
    let site = |site| ("sec-fetch-site", site);
    let origin = |origin| ("origin", origin);
    for (headers, status) in [
        (&[][..], 200),
        (&[site("same-origin")], 200),
        (&[site("none")], 200),
        // A proxy may have replaced `Host`.
        (
            &[site("same-origin"), origin("https://public.example")],
            200,
        ),
        (&[origin(OWN)], 200),
        (&[origin("http://OWN.example")], 200),
        (&[origin(FRIEND)], 200),
        (&[site("cross-site"), origin(FRIEND)], 200),
        (&[site("same-site"), origin(FRIEND)], 200),
        (&[site("cross-site")], 403),
        (&[site("same-site")], 403),
        (&[site("cross-site"), origin(OWN)], 403),
        (&[site("same-origin, cross-site")], 403),
        (&[site("")], 403),
        (&[origin(FOREIGN)], 403),
        (&[origin("")], 403),
        (&[origin("null")], 403),
        (&[origin("https://own.example.evil")], 403),
        (&[origin("https://own.example, https://evil.example")], 403),
        (&[origin("chrome-extension://own.example")], 403),
    ] {
        for (method, path) in [("POST", "/tallies/a"), ("PUT", "/tallies/a")] {
            let request = request(method, path, headers).with_json(
                &[("by", 1)]
                    .into_iter()
                    .collect::<std::collections::HashMap<_, _>>(),
            );
            let response = sim.fetch(request.unwrap()).await;
            assert_eq!(response.status(), status, "{method} {path} {headers:?}");
        }
        let status = if status == 200 { 204 } else { status };
        let response = sim.fetch(request("POST", "/page", headers)).await;
        assert_eq!(response.status(), status, "{headers:?}");
        // Reading is harmless, because the page cannot see the response.
        for method in ["GET", "HEAD"] {
            let response = sim.fetch(request(method, "/page", headers)).await;
            assert_eq!(response.status(), 200, "{method} {headers:?}");
        }
    }
    let total = sim.fetch(request("GET", "/tallies/a", &[])).await;
    assert_eq!(total.body(), Some(&b"18"[..]));
}

#[anchorhold::test]
async fn upgrades_follow_the_same_rule(sim: Sim) {
    sim.app(app().allow_origin(FRIEND));
    for (headers, status) in [
        (&[("sec-fetch-site", "same-origin")][..], 101),
        (&[("origin", FRIEND), ("sec-fetch-site", "cross-site")], 101),
        (&[("sec-fetch-site", "cross-site")], 403),
        (&[("sec-fetch-site", "same-site"), ("origin", FOREIGN)], 403),
    ] {
        let request = request("GET", "/tallies/a/ws", headers).with_header("upgrade", "websocket");
        let response = sim.fetch(request).await;
        assert_eq!(response.status(), status, "{headers:?}");
        assert_eq!(response.header("access-control-allow-origin"), None);
    }
}

#[anchorhold::test]
async fn responses_are_readable_by_pages_of_allowed_origins_only(sim: Sim) {
    sim.app(
        app()
            .allow_origin(FRIEND)
            .allow_origin("http://localhost:5173"),
    );
    let vary = Some("Origin");
    for (path, status) in [
        ("/page", 200),
        ("/tallies/a", 200),
        ("/nowhere", 404),
        ("/panic", 500),
    ] {
        for (origin, allowed) in [(FRIEND, Some(FRIEND)), (FOREIGN, None), (OWN, None)] {
            let response = sim.fetch(request("GET", path, &[("origin", origin)])).await;
            assert_eq!(response.status(), status, "{path} {origin}");
            assert_eq!(
                cors(&response),
                [allowed, None, None, vary],
                "{path} {origin}"
            );
        }
        let response = sim.fetch(request("GET", path, &[])).await;
        assert_eq!(cors(&response), [None, None, None, vary], "{path}");
    }
    // The handler decides alone.
    let response = sim
        .fetch(request("GET", "/public", &[("origin", FRIEND)]))
        .await;
    assert_eq!(cors(&response), [Some("*"), None, None, None]);
}

#[anchorhold::test]
async fn credentials_and_headers_are_shown_by_choice(sim: Sim) {
    sim.app(
        app()
            .allow_origin(FRIEND)
            .allow_credentials()
            .expose_header("x-total")
            .expose_header("etag"),
    );
    let response = sim
        .fetch(request("GET", "/tallies/a", &[("origin", FRIEND)]))
        .await;
    let exposed = Some("x-total, etag");
    assert_eq!(
        cors(&response),
        [Some(FRIEND), Some("true"), exposed, Some("Origin")]
    );
    let response = sim
        .fetch(request("GET", "/tallies/a", &[("origin", FOREIGN)]))
        .await;
    assert_eq!(cors(&response), [None, None, None, Some("Origin")]);
}

#[anchorhold::test]
async fn without_allowed_origins_responses_are_unchanged(sim: Sim) {
    sim.app(app());
    let response = sim
        .fetch(request("GET", "/page", &[("origin", FOREIGN)]))
        .await;
    assert_eq!(cors(&response), [None; 4]);
}

#[anchorhold::test]
async fn preflight_names_the_methods_of_the_path(sim: Sim) {
    let reached = std::rc::Rc::new(std::cell::Cell::new(0));
    let counted = reached.clone();
    sim.app(app().allow_origin(FRIEND).guard(move |visit| {
        counted.set(counted.get() + 1);
        std::future::ready(Ok::<_, Error>(visit))
    }));
    let preflight = |path, origin| {
        let headers = [
            ("origin", origin),
            ("access-control-request-method", "PUT"),
            ("access-control-request-headers", "content-type,x-client"),
        ];
        request("OPTIONS", path, &headers)
    };
    for (path, methods) in [
        ("/tallies/a", "GET, HEAD, POST, PUT, OPTIONS"),
        ("/tallies/a/7", "DELETE, OPTIONS"),
        ("/tallies/a/ws", "GET, HEAD, OPTIONS, DELETE"),
        ("/page", "GET, HEAD, POST, OPTIONS"),
    ] {
        let response = sim.fetch(preflight(path, FRIEND)).await;
        assert_eq!(response.status(), 204, "{path}");
        let mut allowed: Vec<_> = response
            .header("access-control-allow-methods")
            .unwrap()
            .split(", ")
            .collect();
        let mut methods: Vec<_> = methods.split(", ").collect();
        allowed.sort_unstable();
        methods.sort_unstable();
        assert_eq!(allowed, methods, "{path}");
        assert_eq!(cors(&response), [Some(FRIEND), None, None, Some("Origin")]);
        let headers = response.header("access-control-allow-headers");
        assert_eq!(headers, Some("content-type,x-client"), "{path}");
        assert_eq!(response.header("access-control-max-age"), Some("600"));
        let response = sim.fetch(preflight(path, FOREIGN)).await;
        assert_eq!(
            (response.status(), cors(&response)[0]),
            (403, None),
            "{path}"
        );
    }
    let response = sim.fetch(preflight("/nowhere", FRIEND)).await;
    assert_eq!(response.status(), 404);
    assert_eq!(reached.get(), 0, "no guard runs");
}

#[anchorhold::test]
async fn options_and_405_name_the_methods_of_the_path(sim: Sim) {
    sim.app(app());
    for (path, methods) in [
        ("/tallies/a", "GET, HEAD, POST, PUT, OPTIONS"),
        ("/page", "GET, HEAD, POST, OPTIONS"),
    ] {
        let response = sim.fetch(request("OPTIONS", path, &[])).await;
        assert_eq!(
            (response.status(), response.header("allow")),
            (204, Some(methods))
        );
        assert_eq!(response.body(), Some(&b""[..]));
        let response = sim.fetch(request("PATCH", path, &[])).await;
        assert_eq!(
            (response.status(), response.header("allow")),
            (405, Some(methods))
        );
    }
    let tally = sim.objects::<Tally>().named("a");
    let response = tally.fetch(Request::new("OPTIONS", "/")).await.unwrap();
    let allow = response.header("allow");
    assert_eq!(
        (response.status(), allow),
        (204, Some("GET, HEAD, POST, PUT, OPTIONS"))
    );
    let response = sim.fetch(request("OPTIONS", "/nowhere", &[])).await;
    assert_eq!(response.status(), 404);
}

#[anchorhold::test]
async fn form_of_a_page_binds_to_no_arguments(sim: Sim) {
    sim.app(app());
    let own = Some(("sec-fetch-site", "same-origin"));
    for (content_type, header, status) in [
        (None, None, 200),
        (None, own, 200),
        (Some("application/json; charset=utf-8"), own, 200),
        (Some("text/plain"), None, 200),
        (Some("application/x-www-form-urlencoded"), None, 200),
        (Some("text/plain;charset=UTF-8"), own, 415),
        (Some("text/plain"), Some(("origin", OWN)), 415),
        (Some("application/x-www-form-urlencoded"), own, 415),
        (Some("multipart/form-data; boundary=x"), own, 415),
        (Some("application/xml"), None, 415),
    ] {
        for (path, body) in [("/tallies/a", "{\"by\": 1}"), ("/tallies/a/whole", "1")] {
            let headers: Vec<_> = content_type
                .map(|content_type| ("content-type", content_type))
                .into_iter()
                .chain(header)
                .collect();
            let request = request("POST", path, &headers).with_body(body);
            let response = sim.fetch(request).await;
            assert_eq!(response.status(), status, "{path} {headers:?}");
        }
    }
    // A body that the handler reads itself may have any type.
    let headers = [
        ("content-type", "text/plain"),
        ("sec-fetch-site", "same-origin"),
    ];
    let response = sim
        .fetch(request("POST", "/tallies/a/raw", &headers).with_body("text"))
        .await;
    assert_eq!(response.body(), Some(&b"4"[..]));
    // Nothing binds to an empty body.
    let response = sim.fetch(request("POST", "/tallies/a", &headers)).await;
    assert_eq!(response.status(), 400);
}

#[anchorhold::test]
#[should_panic(expected = "expose_header: `x total` is not the name of a header")]
async fn exposed_header_that_no_response_has_is_refused_at_the_start(sim: Sim) {
    sim.app(App::new().expose_header("x total"));
}
