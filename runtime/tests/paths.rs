//! The guard, the mount and the object see one form of a path.

use std::cell::RefCell;
use std::rc::Rc;

use anchorhold::Visit;
use anchorhold::prelude::*;

#[durable_object]
struct Site {}

#[durable_object]
impl Site {
    #[get("/reset")]
    fn reset(&self) -> String {
        "reset".to_owned()
    }

    #[get("/public/{page}")]
    fn public(&self, page: String) -> String {
        format!("public {page}")
    }

    #[post("/raw")]
    async fn raw(&self, request: Request) -> String {
        request.path().into_owned()
    }
}

/// What the guard saw, and what was answered.
async fn visit(sim: &Sim, path: &str) -> (Vec<String>, u16, String) {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let note = seen.clone();
    sim.app(
        App::new()
            .mount::<Site>("/sites/{name}")
            .get("/open", async |_, _| Ok(Response::text(200, "open")))
            .guard(move |visit: Visit| {
                let path = visit.request.path().into_owned();
                note.borrow_mut().push(path.clone());
                async move {
                    if path.ends_with("/reset") {
                        return Err(Error::new(403, "forbidden", "not for strangers"));
                    }
                    Ok(visit)
                }
            }),
    );
    let response = sim.fetch(Request::new("GET", path)).await;
    let body = String::from_utf8_lossy(response.body().unwrap()).into_owned();
    let seen = seen.borrow().clone();
    (seen, response.status(), body)
}

#[anchorhold::test]
async fn path_that_reads_in_two_ways_is_400_before_anything_looks(sim: Sim) {
    for path in [
        "/sites/a/\\reset",
        "/sites/a\\reset",
        "\\sites\\a\\reset",
        "/sites/a/.\\reset",
        "/sites/a/./reset",
        "/sites/a/%2e/reset",
        "/sites/a/x/../reset",
        "/sites/a/x/%2e%2e/reset",
        "/sites/a/x/.%2E/reset",
        "/sites/a/x/%2e./reset",
        "/sites/../sites/a/reset",
        "/sites/a/reset/.",
        "/sites/a/reset/..",
        "/../sites/a/reset",
        "/sites/a/re\tset",
        "/sites/a/re\nset",
        "/sites/a/reset\0",
        "/sites/a/ reset",
    ] {
        let (seen, status, body) = visit(&sim, path).await;
        assert_eq!((status, seen), (400, vec![]), "{path:?}: {body}");
        assert!(body.contains("bad_request"), "{path:?}: {body}");
    }
}

#[anchorhold::test]
async fn path_spelled_otherwise_reaches_the_guard_in_the_form_that_is_routed(sim: Sim) {
    for path in [
        "/sites/a/reset",
        "/sites/a/re%73et",
        "/sites/a/%72%65%73%65%74",
        "/%73ites/a/%72eset",
    ] {
        let (seen, status, body) = visit(&sim, path).await;
        assert_eq!(
            (status, seen),
            (403, vec!["/sites/a/reset".to_owned()]),
            "{path:?}: {body}"
        );
    }
}

#[anchorhold::test]
async fn path_with_empty_segments_is_another_path(sim: Sim) {
    for path in [
        "/sites/a//reset",
        "/sites/a/reset/",
        "//sites/a/reset",
        "/sites//a/reset",
        "/sites/a/reset//",
        "/sites/a/%2freset",
        "/sites/a/%5creset",
        "/sites/a/reset;x=1",
        "/sites/a/reset%00",
        "/sites/a/reset%0a",
        "/sites/a/reset%20",
        "/sites/a/reset%2f",
        "/sites/a/reset%2f..",
        "/sites/a/reset%",
        "/sites/a/reset%zz",
        "/sites/a/reset%ff",
        "/sites/a/%c0%aereset",
    ] {
        let (_, status, body) = visit(&sim, path).await;
        assert!(status == 404 || status == 403, "{path:?}: {status} {body}");
        assert_ne!(body, "\"reset\"", "{path:?}");
    }
    let (_, status, _) = visit(&sim, "//open").await;
    assert_eq!(status, 404);
}

#[anchorhold::test]
async fn path_keeps_what_its_parameters_mean(sim: Sim) {
    for (path, expected) in [
        ("/sites/a/public/x%2Fy", "public x/y"),
        ("/sites/a/public/x%5Cy", "public x\\y"),
        ("/sites/a/public/%25", "public %"),
        ("/sites/a/public/100%", "public 100%"),
        ("/sites/a/public/%zz", "public %zz"),
        ("/sites/a/public/%252e%252e", "public %2e%2e"),
        ("/sites/a/public/...", "public ..."),
        ("/sites/a/public/a..", "public a.."),
        ("/sites/a/public/%C3%BC", "public ü"),
        ("/sites/a/public/ü", "public ü"),
        ("/sites/a/public/%7e~", "public ~~"),
        ("/sites/a/public/a;b=c", "public a;b=c"),
        ("/sites/a/public/\"{|}", "public \"{|}"),
        ("/sites/a/public/x?y=1#z", "public x"),
    ] {
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        let (seen, status, body) = visit(&sim, path).await;
        let json = serde_json::to_string(expected).unwrap();
        assert_eq!((status, body), (200, json), "{path:?}");
        // What the guard saw is its own normal form.
        let (again, ..) = visit(&sim, &seen[0]).await;
        assert_eq!(again, seen, "{path:?}");
    }
}

#[anchorhold::test]
async fn path_of_a_request_to_a_stub_has_the_same_form(sim: Sim) {
    let site = sim.objects::<Site>().named("a");
    for (path, expected) in [
        ("/raw", "/raw"),
        ("raw", "/raw"),
        ("/r%61w", "/raw"),
        ("/raw#x", "/raw"),
        ("/raw?x=1#y", "/raw"),
    ] {
        let response = site.fetch(Request::new("POST", path)).await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(response.read_json::<String>().unwrap(), expected, "{path}");
    }
    for path in ["/x/../raw", "/%2e%2e/raw", "/\\raw", "\\raw"] {
        let refused = site.fetch(Request::new("POST", path)).await;
        assert!(refused.is_err(), "{path}");
    }
}

#[anchorhold::test]
async fn key_that_a_guard_sets_is_one_segment_of_the_objects_path(sim: Sim) {
    for (key, status) in [
        ("plain", 200),
        ("user-1.a_b~", 200),
        ("a/b", 404),
        ("..", 400),
        (".", 400),
    ] {
        sim.app(App::new().mount_sharded::<Site>("/sites/{key}", 4).guard(
            async move |mut visit: Visit| {
                visit.name = key.to_owned();
                Ok(visit)
            },
        ));
        let response = sim.fetch(Request::new("GET", "/sites/anyone")).await;
        // No route is called so; what matters is that the key is not read as a path.
        assert!(
            response.status() == status || status == 200 && response.status() == 404,
            "{key}: {}",
            response.status()
        );
    }
}
